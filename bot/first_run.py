"""`scrumbut init`: a few questions become config.toml and .env; asked again, it changes what is answered and keeps the
rest, comments included.

A new question is one entry in QUESTIONS and, where it is no secret, its line in `_put`. Secrets go into .env alone.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import files
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import available_timezones

import tomlkit
from dotenv import dotenv_values
from tomlkit import TOMLDocument
from tomlkit.exceptions import ParseError

from bot.config import ConfigError, settings_of
from bot.manifest import app_manifest, creation_link
from integrations.sources import source_kinds

PRIVATE = 0o600  # nobody else reads the secrets
RHYTHM = "mon 09:00"  # when the first report goes out, until somebody says otherwise
EXAMPLE = "config.example.toml"
HEAD = (
    "What is not here has its default: scrumbut init --example shows every key. Secrets are in .env beside this file."
)
Answers = Mapping[str, str]


def example() -> str:
    """Every key with its unit and default: the file at the top of the source, or the one an installation brought."""
    beside = Path(__file__).parent.parent / EXAMPLE
    if not beside.is_file():
        beside = next(Path(str(file.locate())) for file in files("scrumbut") or () if file.name == EXAMPLE)
    return beside.read_text(encoding="utf-8")


def _channel(text: str) -> str:
    return text if not text or text.startswith(("#", "C", "G")) else f"#{text}"


def _zone(text: str) -> str:
    if text not in available_timezones():
        raise ValueError(f'"{text}" is no time zone. Write it like Europe/Berlin or UTC.')
    return text


def _url(text: str) -> str:
    if text and not (text.startswith(("https://", "http://")) and urlsplit(text).hostname):
        raise ValueError(f'"{text}" is no address. Begin it with https://.')
    return text.rstrip("/")


def _kind(text: str) -> str:
    if text and text not in source_kinds():
        raise ValueError(f'"{text}" is no kind of source. There are: {", ".join(source_kinds())}.')
    return text


def _begins(start: str) -> Callable[[str], str]:
    def check(text: str) -> str:
        if text and not text.startswith(start):
            raise ValueError(f"What belongs here begins with {start}")
        return text

    return check


def _one_line(text: str) -> str:
    if "\n" in text or '"' in text:
        raise ValueError("It is one line without quotation marks.")
    return text


@dataclass(frozen=True, slots=True)
class Question:
    """One question: its name among the answers, its words, and whether it arises after the answers so far. `secret`
    is the variable that .env keeps the answer in; an empty answer to it leaves what is there."""

    name: str
    words: str
    default: str = ""
    check: Callable[[str], str] = _one_line
    arises: Callable[[Answers], bool] = lambda _: True
    secret: str = ""


def _in_cloud(answers: Answers) -> bool:
    return (urlsplit(answers.get("jira_url", "")).hostname or "").endswith(".atlassian.net")


def _has_jira(answers: Answers) -> bool:
    return bool(answers.get("jira_url"))


QUESTIONS: Sequence[Question] = (
    Question("channel", "Channel for cards and reports", "#ml", _channel),
    Question("zone", "Time zone of the weekly report", "UTC", _zone),
    Question("public_url", "Address under which people reach this server (empty: Socket Mode)", "", _url),
    Question("jira_url", "Jira's address (empty: without Jira)", "", _url),
    Question("jira_project", "Key of the Jira project to follow", "ML", arises=_has_jira),
    Question("jira_email", "E-mail of the account in Jira", arises=_in_cloud),
    Question("source", "First metric source, such as mlflow (empty: later)", "", _kind),
    Question("source_url", "Its address or path", arises=lambda answers: bool(answers.get("source"))),
    Question("bot_token", "Slack's bot token, xoxb-… (empty: later)", "", _begins("xoxb-"),
             secret="SCRUMBUT_SLACK__BOT_TOKEN"),
    Question("signing_secret", "Slack's signing secret (empty: later)",
             arises=lambda answers: bool(answers.get("public_url")), secret="SCRUMBUT_SLACK__SIGNING_SECRET"),
    Question("app_token", "Slack's app-level token, xapp-… (empty: later)", "", _begins("xapp-"),
             arises=lambda answers: not answers.get("public_url"), secret="SCRUMBUT_SLACK__APP_TOKEN"),
    Question("jira_token", "Jira's API token (empty: later)", arises=_in_cloud, secret="SCRUMBUT_JIRA__TOKEN"),
    Question("jira_pat", "Jira's personal access token (empty: later)",
             arises=lambda answers: _has_jira(answers) and not _in_cloud(answers), secret="SCRUMBUT_JIRA__PAT"),
)  # fmt: skip


def fill_in(known: Answers, given: Answers, ask: Callable[[Question, str], str] | None) -> dict[str, str]:
    """The answer to each question that arises: what was given, else what `ask` brings with the known one or the default
    to accept, else that one. Raises ValueError for a given one that is wrong."""
    answers: dict[str, str] = {}
    for question in QUESTIONS:
        if not question.arises(answers):
            continue
        before = known.get(question.name) or question.default
        if question.name in given:
            answers[question.name] = question.check(given[question.name].strip())
        else:
            answers[question.name] = ask(question, before) if ask else before
    return answers


def open_config(path: Path) -> TOMLDocument:
    """The file as it is, or an empty one. Raises ConfigError where it is no TOML."""
    if not path.exists():
        fresh = tomlkit.document()
        fresh.add(tomlkit.comment(HEAD))
        return fresh
    try:
        return tomlkit.parse(path.read_text(encoding="utf-8"))
    except ParseError as error:
        raise ConfigError(f"{path}: {error}. Mend the TOML there; nothing was changed.") from error


def known_answers(config: Mapping[str, Any]) -> dict[str, str]:
    """What the file says to the questions."""
    jira, report, source = config.get("jira", {}), _first(config, "reports"), _first(config, "sources")
    found = {
        "channel": config.get("slack", {}).get("channel"),
        "zone": str(report.get("schedule", "")).rpartition(" ")[2],
        "public_url": config.get("web", {}).get("public_url"),
        "jira_url": jira.get("url"),
        "jira_project": _project_of(str(jira.get("jql", ""))),
        "jira_email": jira.get("email"),
        "source": source.get("kind"),
        "source_url": source.get("url"),
    }
    return {name: str(value) for name, value in found.items() if value}


def _first(config: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = next(iter(config.get(name, ())), {})
    return found


def _project_of(jql: str) -> str:
    return jql.removeprefix("project = ") if jql.startswith("project = ") and " " not in jql[10:] else ""


def write(path: Path, config: TOMLDocument, answers: Answers) -> list[Path]:
    """Write both files, each whole or not at all, and return those that changed. Raises ConfigError where they cannot
    be written, or where what came out could not be used for another reason than a secret that is still missing."""
    before = known_answers(config)
    secret = {question.name for question in QUESTIONS if question.secret}
    new = {name: text for name, text in answers.items() if name not in secret and text != before.get(name, "")}
    _put(config, answers, new)
    secrets = {q.secret: answers[q.name] for q in QUESTIONS if q.secret and answers.get(q.name)}
    environment = path.parent / ".env"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # What is written anew may lie in another order; where nothing is new, not a byte changes.
        written = [
            _replace(path, tomlkit.dumps(config), None) if new or not path.exists() else None,
            _replace(environment, _env(environment, secrets), PRIVATE),
        ]
    except OSError as error:
        raise ConfigError(
            f"{error.filename or path}: cannot be written ({error.strerror}). Name another with --config."
        ) from error
    return [one for one in written if one]


def _put(config: TOMLDocument, answers: Answers, new: Answers) -> None:
    """Set what is new; everything else keeps its words."""
    places = {"channel": ("slack", "channel"), "public_url": ("web", "public_url"), "jira_url": ("jira", "url"),
              "jira_email": ("jira", "email")}  # fmt: skip
    for name, (section, key) in places.items():
        if name in new:
            _table(config, section)[key] = new[name]
    if "jira_project" in new:
        _table(config, "jira")["jql"] = f"project = {new['jira_project']}"
    if new.get("jira_url"):
        _table(config, "jira")["deployment"] = "cloud" if _in_cloud(answers) else "server"
    if "zone" in new:
        _put_zone(config, new["zone"])
    if answers.get("source") and {"source", "source_url"} & new.keys():
        _put_source(config, answers["source"], answers.get("source_url", ""))


def _put_zone(config: TOMLDocument, zone: str) -> None:
    """The zone of the first report, which keeps its day and hour; a first report where there is none."""
    reports = _list(config, "reports")
    rhythm = str(reports[0].get("schedule", f"{RHYTHM} UTC")).rpartition(" ")[0]
    reports[0]["schedule"] = f"{rhythm} {zone}"


def _put_source(config: TOMLDocument, kind: str, url: str) -> None:
    sources = _list(config, "sources")
    sources[0].setdefault("name", kind)
    sources[0]["kind"], sources[0]["url"] = kind, url
    if host := _inside(url):
        allowed = _table(config, "security").setdefault("allow_hosts", tomlkit.array())
        if host not in allowed:
            allowed.append(host)


def _inside(url: str) -> str:
    """`host:port` of an address that must be allowed by name, for it is private; empty for others."""
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    inside = host == "localhost"
    with suppress(ValueError):
        inside = not ip_address(host).is_global
    return f"{host}:{port}" if host and inside else ""


def _list(config: TOMLDocument, name: str) -> Any:
    """The tables of that name; one that is empty where there is none."""
    if name not in config:
        config.add(tomlkit.nl())
        config[name] = tomlkit.aot()
    found: Any = config[name]
    if not found:
        found.append(tomlkit.table())
    return found


def _table(config: TOMLDocument, name: str) -> Any:
    if name not in config:
        config[name] = tomlkit.table()
    return config[name]


def _env(path: Path, secrets: Mapping[str, str]) -> str:
    """The lines of .env with these set; whatever else is there stays."""
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    left = dict(secrets)
    for number, line in enumerate(lines):
        name = line.partition("=")[0].strip()
        if name in left:
            lines[number] = f'{name}="{left.pop(name)}"'
    return "".join(f"{line}\n" for line in [*lines, *(f'{name}="{value}"' for name, value in left.items())])


def _replace(path: Path, text: str, mode: int | None) -> Path | None:
    """Write a file in one step; None where it says that already. Its mode stays unless one is named."""
    kept = path.stat().st_mode & 0o777 if path.exists() else PRIVATE
    if path.exists() and path.read_text(encoding="utf-8") == text and mode in (None, kept):
        return None
    beside = path.with_name(f".{path.name}.new")
    beside.unlink(missing_ok=True)
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode or kept)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    beside.chmod(mode or kept)
    beside.replace(path)
    return path


def missing_secrets(path: Path, answers: Answers) -> list[str]:
    """The variables that the set-up needs and neither .env nor the environment has."""
    kept = dotenv_values(path.parent / ".env") if (path.parent / ".env").exists() else {}
    wanted = [q.secret for q in QUESTIONS if q.secret and q.arises(answers)]
    return [name for name in wanted if not (kept.get(name) or os.environ.get(name))]


def link_of(answers: Answers, config: Mapping[str, Any], path: Path) -> str:
    """The address that creates the Slack app; what the secrets would say is not needed for it."""
    slack, public_url = {"command": config.get("slack", {}).get("command", "/exp")}, answers.get("public_url", "")
    # Without an address the app connects by itself, so the link makes one for Socket Mode whatever token there is.
    socket = {} if public_url else {"app_token": "xapp-later"}
    return creation_link(app_manifest(settings_of({"slack": slack | socket, "web": {"public_url": public_url}}, path)))


def next_steps(path: Path, answers: Answers, link: str) -> list[str]:
    """What a person does after this, one line each."""
    lacking = missing_secrets(path, answers)
    steps = [f"Create the Slack app and install it: {link}"] if any("SLACK" in name for name in lacking) else []
    if lacking:
        steps.append(f"Then run this again, or put into {path.with_name('.env')}: {', '.join(lacking)}")
    if answers.get("channel"):
        steps.append(f"In Slack: /invite @scrumbut in {answers['channel']}")
    named = "" if path == Path("config.toml") else f" --config {path}"
    return [*steps, f"See what is left: scrumbut doctor{named}", f"Start: scrumbut serve{named}"]
