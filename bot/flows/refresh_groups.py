"""Reads who belongs to the user groups that [roles] names, so that no command has to ask Slack."""

from bot.flows.services import Services
from store.people import save_group


def refresh_groups(services: Services) -> int:
    """Remember the members of each configured group; returns how many groups there are. Raises IntegrationError, and
    keeps what was known of a group that Slack will not tell about."""
    if services.messenger is None:
        return 0
    for group in services.roles.groups:
        members = services.messenger.group_members(group)
        with services.database.write() as connection:
            save_group(connection, group, members)
    return len(services.roles.groups)
