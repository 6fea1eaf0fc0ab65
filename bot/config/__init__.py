"""config.toml and the environment, as frozen settings; the first wrong key is named with file and remedy.

A key is declared in the file of its subject with the feature that uses it, and in `config.example.toml`; unknown ones
are refused.
"""

from bot.config.connections import DatabaseSection, Jira, Slack, SourceSection
from bot.config.process import RetentionSection
from bot.config.settings import Settings, keys_naming, load_settings, settings_of
from bot.config.team import ReportSection
from bot.config.values import ConfigError
from bot.config.workspaces import workspace_settings

__all__ = [
    "ConfigError",
    "DatabaseSection",
    "Jira",
    "ReportSection",
    "RetentionSection",
    "Settings",
    "Slack",
    "SourceSection",
    "keys_naming",
    "load_settings",
    "settings_of",
    "workspace_settings",
]
