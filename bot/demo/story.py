"""The story that the demo plays: ten weeks of a made-up team on a clock of their own, everything else real.

Real Bolt, the real `jira` client and real HTTP against the stand-ins; models really trained on drawn data. The dates
and the people are a story; no number in the report is.
"""

import json
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from bot.config import Settings, load_settings
from bot.demo.models import Clients, with_products
from bot.flows.services import Services
from bot.schedule import schedules_of
from bot.slack.app import open_app
from bot.slack.endpoint import SlackEndpoint
from bot.web import open_web
from bot.wiring import open_services
from bot.work import run_until_settled
from sandbox.jira import JiraSandbox
from sandbox.serving import free_port, serving
from sandbox.slack import SlackSandbox
from sandbox.slack_edge import SlackEdge

START = datetime(2026, 9, 14, 8, tzinfo=UTC)
REPORT_AT = datetime(2026, 11, 23, 9, 0, 2, tzinfo=UTC)
EVAL_SET = "holdout-v3"
DAY = timedelta(days=1)
GAIN = 0.17  # recall above the linear model's; who knew each client's true chance of leaving would gain 0.19
IDEAS = (
    ("Logistic regression as the number to beat", "baseline", "U0ANA"),
    ("Products of two features find more leavers", "improvement", "U0ANA"),
    ("A small neural network finds more leavers", "improvement", "U0BEN"),
    ("Weighting the rare leavers raises recall", "improvement", "U0ANA"),
    ("Do support calls tell who leaves?", "data-understanding", "U0BEN"),
    ("Ask sales which clients they lost last year", "data-understanding", "U0CHI"),
)


CONFIG = """
[slack]
bot_token = "xoxb-sandbox"
signing_secret = "{secret}"
api_url = "{slack}/api/"
channel = "#ml"
[jira]
url = "{jira}"
email = "bot@example.com"
token = "jira-sandbox-token"
jql = "project = ML"
fields = {{ sprint = "customfield_10020" }}
[jira.stages]
running = "In Progress"
observing = "In Progress"
concluded = "Done / Won't Do"
monitored = "Done / Done"
[web]
port = {port}
[database]
url = "sqlite:///{folder}/scrumbut.db"
[[sources]]
name = "runs"
kind = "jsonl"
url = "{folder}/runs.jsonl"
[[reports]]
schedule = "mon 09:00 UTC"
[[policy]]
but = "sprints"
because = "nobody can know how long an experiment takes"
instead = "WIP 2, appetite, weekly report"
"""


class StoryClock:
    """A clock that stands until it is moved; after `run_on` it goes, and can still be moved."""

    def __init__(self, at: datetime) -> None:
        self._at, self._since = at, 0.0

    def __call__(self) -> datetime:
        """Now."""
        return self._at + timedelta(seconds=time.monotonic() - self._since) if self._since else self._at

    def move_to(self, at: datetime) -> None:
        """Stand there."""
        self._at = at

    def forward(self, **span: float) -> None:
        """Move on, by days, minutes or seconds."""
        self._at += timedelta(**span)

    def run_on(self) -> None:
        """Go on by itself from here."""
        self._since = time.monotonic()


@dataclass
class Story:
    """The product, its stand-ins, and a clock that the story moves."""

    clock: "StoryClock"
    settings: Settings
    services: Services
    slack: SlackSandbox
    jira: JiraSandbox
    edge: SlackEdge
    runs: Path
    clients: Clients = field(default_factory=Clients)
    logged: list[dict[str, Any]] = field(default_factory=list)

    @property
    def trained(self) -> int:
        """How many models were."""
        return len(self.logged)

    def at(self, day: float) -> None:
        """Let time pass up to that many days after the start; what was due meanwhile happens."""
        self.clock.move_to(START + timedelta(days=day))
        self.settle()

    def settle(self) -> None:
        """Let the clock, the workers and the outbox do what is due."""
        wait = self.clock.forward
        run_until_settled(self.services, schedules_of(self.services, timedelta(hours=1)), lambda s: wait(seconds=s))

    def say(self, *lines: str, user: str = "U0ANA") -> None:
        """Type lines in Slack, one after the other, and let their work finish."""
        for line in lines:
            self.slack.write(f"/exp {line}", user, "C0ML")
            self.edge.command(line, user=user)
            self.settle()
            self.clock.forward(minutes=2)

    def log_run(self, experiment: str, environment: str, value: float) -> None:
        """What a training script would write of one run."""
        row = {
            "time": self.clock().isoformat(),
            "metric": "recall",
            "value": value,
            "run": f"run-{self.trained + 1:03d}",
        }
        self.logged.append({**row, "environment": environment, "experiment": experiment})
        with self.runs.open("a", encoding="utf-8") as file:
            file.write(json.dumps(self.logged[-1]) + "\n")


def open_story(folder: Path, running: ExitStack) -> Story:
    """The product between its stand-ins, before anything happens; `running` ends them."""
    clock = StoryClock(START)
    slack, jira = SlackSandbox(now=lambda: clock().timestamp()), JiraSandbox(now=clock)
    slack_url, jira_url = (running.enter_context(serving(part.app)) for part in (slack, jira))
    port = free_port()  # the links in cards and issues lead there, so it is known beforehand
    config = folder / "config.toml"
    config.write_text(
        CONFIG.format(secret=slack.signing_secret, slack=slack_url, jira=jira_url, folder=folder, port=port)
    )
    settings = load_settings(config)
    services = open_services(settings, clock)
    running.callback(services.database.close)
    endpoint = SlackEndpoint(open_app(settings.slack, services), settings.slack.signing_secret.get_secret_value())
    web_url = running.enter_context(serving(open_web(services, endpoint.receive), port))
    (folder / "runs.jsonl").touch()
    edge = SlackEdge(slack, slack_url, f"{web_url}/slack/events")
    return Story(clock, settings, services, slack, jira, edge, folder / "runs.jsonl")


def chapters_of(story: Story) -> list[tuple[float, Callable[[], None]]]:
    """(day, what happens then), in order of time."""
    baseline = story.clients.baseline()

    def measure(key: str, seeds: range, prod: bool = False, **how: Any) -> None:
        """Train one model a seed, some hours apart, and log each as a run."""
        start = story.clock()
        for index, seed in enumerate(seeds):
            story.at((start - START) / DAY + index * 0.7)
            story.log_run(key, "prod" if prod else "dev", story.clients.score(seed, prod=prod, **how))

    def set_up() -> None:
        metric = f"metric add recall --goal churn --source runs --key recall --unit share --eval-set {EVAL_SET}"
        story.say(
            'goal add churn "call the clients who are about to leave" --not "total income" --metric recall '
            f"--baseline {baseline:.3f} --target {baseline + GAIN:.3f}",
            "goal ready churn --labels yes --access yes --expert yes --pipeline yes",
            metric,
            metric.replace(EVAL_SET, '""') + " --env prod --tolerance 0.05",
        )
        for title, kind, user in IDEAS:
            story.say(f'new "{title}" --goal churn --kind {kind}', user=user)
            story.jira.add_issue("ML", title)

    def begin(number: int, believe: str, appetite: str, user: str = "U0ANA") -> None:
        key = f"EXP-{number}"
        story.say(
            f'frame {key} --hypothesis "We believe {believe}" --metric recall --min-effect 0.02 '
            f'--appetite {appetite} --decision "which model calls the clients?"',
            f"link {key} ML-{number}",
            f"move {key} ready",
            f"start {key}",
            user=user,
        )

    def conclude(number: int, moves: list[str], outcome: str, decision: str) -> None:
        key = f"EXP-{number}"
        story.say(*(f"move {key} {to}" for to in moves), f"outcome {key} {outcome}", f"decide {key} {decision}")

    def stumble() -> None:
        story.say('block EXP-3 "one run diverged, cause unknown"', user="U0BEN")
        story.jira.edit("ML-3", duedate="2026-12-11")

    return [
        (0, set_up),
        (1, partial(begin, 1, "a linear model is a fair number to beat", "M")),
        (2, partial(measure, "EXP-1", range(4))),
        (9, partial(conclude, 1, ["deciding"], 'good "a linear model finds what sales finds by hand"',
                    'adopt "it is the number to beat"')),
        (10, partial(begin, 2, "products of two features will find more leavers", "L")),
        *((7 * week, partial(measure, "EXP-2", range(3 * week, 3 * week + 3), grow=with_products, steps=20 * week,
                             rate=0.06)) for week in range(2, 6)),
        (38, partial(story.say, 'extend EXP-2 "production labels arrive in October"')),
        (42, partial(measure, "EXP-2", range(1, 4), grow=with_products, prod=True, steps=400)),
        (59, partial(begin, 3, "a small network will find more leavers", "M", "U0BEN")),
        (60, partial(measure, "EXP-3", range(8, 12), hidden=8, steps=300)),
        (65, partial(measure, "EXP-3", range(9, 13), hidden=12, steps=450)),
        (67, partial(measure, "EXP-3", range(1), hidden=16, rate=1e300)),
        (67.1, partial(conclude, 2, ["observing", "deciding"],
                       'good "products of two features find many more leavers, in production too"',
                       'adopt "beats the linear model in production"')),
        (67.2, partial(begin, 4, "weighting rare leavers will raise recall", "S")),
        (67.3, partial(measure, "EXP-4", range(4), weight=8)),
        (69.4, partial(conclude, 4, ['deciding --reason "refuted on dev, nothing to observe"'],
                       'bad "weights change the scores, not their order: the same clients are called"',
                       'stop "no weighting helps a ranking"')),
        (69.5, stumble),
        ((REPORT_AT - START) / DAY, story.settle),
    ]  # fmt: skip
