"""The main job offline: ten weeks of a made-up team on a clock of their own, everything else real.

Real Bolt, the real `jira` client and real HTTP against the stand-ins; models really trained (numpy) on drawn data.
The dates and the people are a story; no number in the report is.
"""

import json
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import typer

from bot.config import Settings, load_settings
from bot.flows.services import Services
from bot.schedule import schedules_of
from bot.slack.app import open_app
from bot.slack.endpoint import SlackEndpoint
from bot.web import open_web
from bot.wiring import open_services
from bot.work import run_until_settled
from sandbox.jira import JiraSandbox
from sandbox.serving import serving
from sandbox.slack import SlackSandbox
from sandbox.slack_edge import SlackEdge
from sandbox.transcript import transcript
from store.reports import find_report_of

START = datetime(2026, 9, 14, 8, tzinfo=UTC)
REPORT_AT = datetime(2026, 11, 23, 9, 0, 2, tzinfo=UTC)
SHOWN_SINCE = datetime(2026, 11, 19, tzinfo=UTC)
FEATURES, CLIENTS, BUDGET = 8, 4_000, 0.2  # we may call one client in five
EVAL_SET = "holdout-v3"
DAY = timedelta(days=1)
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

Predict = Callable[[np.ndarray], np.ndarray]


def draw_clients(rng: np.random.Generator, count: int, shift: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """(features of shape (count, 8), 1 for who left); leaving depends on products of features, not on their sum."""
    x = rng.normal(shift, 1, (count, FEATURES))
    score = 1.1 * x[:, 0] * x[:, 1] + 0.9 * x[:, 2] - 0.8 * x[:, 3] * x[:, 4] + 0.5 * np.abs(x[:, 5])
    left = rng.random(count) < 1 / (1 + np.exp(-(1.6 * score - 2.6)))
    return x, left.astype(float)


def recall_at_budget(scores: np.ndarray, left: np.ndarray) -> float:
    """Of all who left, the share among the one in five we would have called; NaN where the model diverged."""
    if not np.isfinite(scores).all():
        return float("nan")
    called = np.argsort(-scores)[: int(len(scores) * BUDGET)]
    return round(float(left[called].sum() / left.sum()), 4)


def train(
    x: np.ndarray, y: np.ndarray, seed: int, *, hidden: int = 0, rate: float = 0.3, steps: int = 250, weight: float = 1
) -> Predict:
    """A logistic regression (`hidden` 0) or a network with one hidden layer, by plain gradient descent."""
    rng = np.random.default_rng(seed)
    batch = rng.choice(len(x), len(x) * 4 // 5, replace=False)
    x, y = x[batch], y[batch]
    w1 = rng.normal(0, 0.5, (x.shape[1], hidden)) if hidden else np.eye(x.shape[1])
    w2, cost = rng.normal(0, 0.1, w1.shape[1]), np.where(y > 0, weight, 1.0)
    with np.errstate(all="ignore"):  # a rate that is too large diverges, which is part of the story
        for _ in range(steps):
            inner = np.maximum(x @ w1, 0) if hidden else x @ w1
            error = cost * (1 / (1 + np.exp(-inner @ w2)) - y) / len(x)
            if hidden:
                w1 -= rate * x.T @ (np.outer(error, w2) * (inner > 0))
            w2 -= rate * inner.T @ error * (1 if hidden else 3)

    def predict(rows: np.ndarray) -> np.ndarray:
        with np.errstate(all="ignore"):
            scores: np.ndarray = (np.maximum(rows @ w1, 0) if hidden else rows @ w1) @ w2
        return scores

    return predict


def with_products(x: np.ndarray) -> np.ndarray:
    """The features and the products of each two of them."""
    first, second = np.triu_indices(x.shape[1], 1)
    return np.hstack([x, x[:, first] * x[:, second]])


@dataclass
class Story:
    """The product, its stand-ins, and a clock that the story moves."""

    now: datetime
    settings: Settings
    services: Services
    slack: SlackSandbox
    jira: JiraSandbox
    edge: SlackEdge
    runs: Path
    trained: int = 0

    def at(self, day: float) -> None:
        """Let time pass up to that many days after the start; what was due meanwhile happens."""
        self.now = START + timedelta(days=day)
        self.settle()

    def settle(self) -> None:
        """Let the clock, the workers and the outbox do what is due."""

        def wait(seconds: float) -> None:
            self.now += timedelta(seconds=seconds)

        run_until_settled(self.services, schedules_of(self.services, timedelta(hours=1)), wait)

    def say(self, *lines: str, user: str = "U0ANA") -> None:
        """Type lines in Slack, one after the other, and let their work finish."""
        for line in lines:
            self.slack.channels["C0ML"].messages.append(self._typed(line, user))
            self.edge.command(line, user=user)
            self.settle()
            self.now += timedelta(minutes=2)

    def _typed(self, line: str, user: str) -> dict[str, object]:
        author = self.slack.users[user].title()
        ts = f"{self.now.timestamp():.6f}"
        return {"ts": ts, "text": f"/exp {line}", "blocks": [], "author": author, "user": user}

    def log_run(self, experiment: str, environment: str, value: float) -> None:
        """What a training script would write of one run."""
        self.trained += 1
        row = {"time": self.now.isoformat(), "metric": "recall", "value": value, "run": f"run-{self.trained:03d}"}
        with self.runs.open("a", encoding="utf-8") as file:
            file.write(json.dumps({**row, "environment": environment, "experiment": experiment}) + "\n")


def play(output: Path) -> None:
    """Play the story, print the conversation and the report, write the page to `output`/report.html."""
    began = time.perf_counter()
    with ExitStack() as running:
        story = _open(Path(running.enter_context(tempfile.TemporaryDirectory())), running)
        with typer.progressbar(_chapters(story), label="ten weeks", file=typer.get_text_stream("stderr")) as bar:
            for day, happens in bar:
                story.at(day)
                happens()
        _show(story, output)
    typer.echo(f"{story.trained} models trained, ten weeks played in {time.perf_counter() - began:.0f} s.")


def _open(folder: Path, running: ExitStack) -> Story:
    told: list[Story] = []  # the parts need a clock before the story that moves it exists

    def now() -> datetime:
        return told[0].now if told else START

    slack, jira = SlackSandbox(now=lambda: now().timestamp()), JiraSandbox(now=now)
    slack_url, jira_url = (running.enter_context(serving(part.app)) for part in (slack, jira))
    config = folder / "config.toml"
    config.write_text(CONFIG.format(secret=slack.signing_secret, slack=slack_url, jira=jira_url, folder=folder))
    settings = load_settings(config)
    services = open_services(settings, now)
    running.callback(services.database.close)
    app = open_app(settings.slack, services)
    web_url = running.enter_context(
        serving(open_web(services, SlackEndpoint(app, settings.slack.signing_secret.get_secret_value()).receive))
    )
    (folder / "runs.jsonl").touch()
    edge = SlackEdge(slack, slack_url, f"{web_url}/slack/events")
    story = Story(START, settings, services, slack, jira, edge, folder / "runs.jsonl")
    told.append(story)
    return story


def _chapters(story: Story) -> list[tuple[float, Callable[[], None]]]:
    """(day, what happens then), in order of time."""
    rng = np.random.default_rng(7)
    x, y = draw_clients(rng, CLIENTS)
    held_x, held_y = draw_clients(rng, CLIENTS)
    baseline = float(np.mean([recall_at_budget(train(x, y, seed)(held_x), held_y) for seed in range(3)]))

    def measure(key: str, seeds: range, widen: bool = False, prod: bool = False, **how: Any) -> None:
        """Train one model a seed, some hours apart, and log each as a run."""
        start, grow = story.now, with_products if widen else np.asarray
        for index, seed in enumerate(seeds):
            story.at((start - START) / DAY + index * 0.7)
            fresh = draw_clients(np.random.default_rng(900 + seed), CLIENTS, 0.04)
            test_x, test_y = fresh if prod else (held_x, held_y)
            model = train(grow(x), y, seed, **how)
            story.log_run(key, "prod" if prod else "dev", recall_at_budget(model(grow(test_x)), test_y))

    def set_up() -> None:
        metric = f"metric add recall --goal churn --source runs --key recall --unit share --eval-set {EVAL_SET}"
        story.say(
            'goal add churn "call the clients who are about to leave" --not "total income" --metric recall '
            f"--baseline {baseline:.3f} --target {baseline + 0.22:.3f}",
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
        *((7 * week, partial(measure, "EXP-2", range(3 * week, 3 * week + 3), widen=True, steps=20 * week, rate=0.06))
          for week in range(2, 6)),
        (38, partial(story.say, 'extend EXP-2 "production labels arrive in October"')),
        (42, partial(measure, "EXP-2", range(3), widen=True, prod=True, steps=400)),
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


def _show(story: Story, output: Path) -> None:
    output.mkdir(parents=True, exist_ok=True)
    typer.echo(transcript(story.slack, SHOWN_SINCE.timestamp()))
    plan = story.services.reports[0]
    with story.services.database.read() as connection:
        report = find_report_of(connection, plan.name, plan.audience, "2026-W47")
    if report is None:
        raise RuntimeError("the weekly report was not written")
    typer.echo("── The weekly report, as a terminal shows it " + "─" * 52)
    typer.echo(report.text)
    (output / "report.html").write_text(report.html, encoding="utf-8")
    (output / "report.slack.json").write_text(report.slack, encoding="utf-8")
    typer.echo(
        "The people and the dates are a story, the stand-ins are not Slack and not Jira; every model was trained."
    )
    typer.echo(f"The page: {output / 'report.html'}")
