"""Random people typing random verbs: no closed gate is passed, no entry is lost, every timeline leads to its state.

What a gate asks is told here a second time, from the product's page and not from `backlog.gates`.
"""

import shutil
import tempfile
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from backlog.experiment import Decision, Entry, Experiment, Kind, Outcome, Stage, replay
from backlog.goal import Answer3, Goal
from backlog.metric import Reading
from backlog.policy import Rules
from bot.flows.services import Caller, Services, SourcePlan
from bot.flows.watch_appetites import watch_appetites
from bot.roles import Role, Roles
from bot.verbs import Answer, Request, answer, split_line
from integrations.sources.files import CsvFiles
from integrations.sources.source import SourceConfig
from store.database import open_database
from store.experiments import load_experiments, load_timeline, numbers_by_key
from store.goals import load_goals
from store.metrics import load_metrics, save_readings
from tests.conftest import MEMORY

PEOPLE = {"U0ANA": "ana", "U0BEN": "ben", "U0CHI": "chi", "U0DEE": "dee"}
ROLES = Roles({Role.VIEWER: frozenset({"U0CHI"}), Role.DECIDER: frozenset({"U0ANA", "U0DEE"})})
QUESTIONS = (Kind.DATA_UNDERSTANDING, Kind.METRIC_DEVELOPMENT, Kind.INFRASTRUCTURE)
LATER = (Stage.READY, Stage.RUNNING, Stage.OBSERVING, Stage.OBSERVING, Stage.DECIDING, Stage.DECIDING)
MARKS = ("labels", "access", "expert", "pipeline")
TOLERANCE = 0.02

# Ana, who may do everything, acts most: else hardly anything gets far.
people = st.sampled_from(["U0ANA", "U0ANA", "U0ANA", *PEOPLE])
FRAMING = {
    "goal": "--goal churn",
    "hypothesis": '--hypothesis "we believe"',
    "metric": "--metric recall",
    "min_effect": "--min-effect 0.01",
    "serves": '--decision "which?"',
    "appetite": "--appetite S",
}
lacking = st.sampled_from(["nothing", "nothing", "nothing", *FRAMING])
keys = st.integers(1, 4).map("EXP-{}".format)
goals = st.sampled_from(["churn", "speed"])
VALUES = st.sampled_from([0.69, 0.75, 0.76])
words = st.sampled_from(["because", "<!channel> *now*", "\u202egnihton", "🚀", "a — b “c”", "x" * 300])


@dataclass
class Runs:
    """The readings that were made, as the test knows them: run → (experiment, goal, environment, value)."""

    made: list[tuple[str, str, str, float]] = field(default_factory=list)

    def values(self, experiment: str, goal: str, environment: str) -> list[float]:
        return [v for e, g, env, v in self.made if (e, g, env) == (experiment, goal, environment)]

    def in_prod(self, goal: str) -> list[float]:
        return [v for _, g, env, v in self.made if (g, env) == (goal, "prod")]


class Backlog(RuleBasedStateMachine):
    template: Path | None = None

    @initialize(
        lacks=st.lists(lacking, min_size=4, max_size=4),
        kinds=st.lists(st.sampled_from([Kind.IMPROVEMENT, *Kind]), min_size=4, max_size=4),
        baseline=st.booleans(),
    )
    def open(self, lacks: list[str], kinds: list[Kind], baseline: bool) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="backlog-machine-", dir=MEMORY))
        if Backlog.template is None:
            Backlog.template = Path(tempfile.mkdtemp(prefix="backlog-template-", dir=MEMORY)) / "s.db"
            open_database(f"sqlite:///{Backlog.template}").close()
        shutil.copy(Backlog.template, self.folder / "s.db")
        self.now = datetime(2026, 11, 23, 10, tzinfo=UTC)
        source = SourcePlan(
            "files", "csv", timedelta(hours=1), CsvFiles(SourceConfig("files", str(self.folder / "r.csv")))
        )
        self.services = Services(
            open_database(f"sqlite:///{self.folder}/s.db"),
            lambda: self.now,
            rules=Rules(wip_person=2, wip_goal=3, extensions=1),
            roles=ROLES,
            sources={"files": source},
        )
        self.runs, self.seen = Runs(), dict[str, list[Entry]]()
        number = "--baseline 0.70" if baseline else ""
        self.type("U0ANA", f'goal add churn "keep clients" --metric recall {number} --target 0.80')
        self.type("U0ANA", 'goal add speed "answer fast" --metric recall --baseline 0.70 --target 0.80')
        for goal, named in (("churn", "--eval-set holdout-v3"), ("speed", "")):
            for environment in ("dev", "prod"):
                options = f"--env {environment} --tolerance {TOLERANCE} {named}"
                self.type("U0ANA", f"metric add recall --goal {goal} --source files --key k {options}")
            self.type("U0ANA", f"goal ready {goal} " + " ".join(f"--{mark} yes" for mark in MARKS))
        for index, (lack, kind) in enumerate(zip(lacks, kinds, strict=True), 1):
            self.type("U0ANA", f'new "Idea {index}" --kind {kind}')
            given = " ".join(option for name, option in FRAMING.items() if name != lack)
            self.type("U0ANA", f"frame EXP-{index} {given}")
        self.look()

    def teardown(self) -> None:
        if hasattr(self, "services"):
            self.services.database.close()
            shutil.rmtree(self.folder)

    # What people do

    def type(self, who: str, line: str) -> Answer:
        self.now += timedelta(minutes=1)
        before = self.experiments() if hasattr(self, "runs") else {}
        told = answer(split_line(line), Request(self.services, Caller(who, PEOPLE[who])))
        for key, after in self.experiments().items():
            was = before.get(key)
            if was is not None and after.stage.rank > was.stage.rank:
                assert not told.problem
                self.check_way(was, after, who)
        if who == "U0CHI":
            assert told.problem or not line.startswith(("new", "move", "start", "decide"))
        return told

    @rule(who=people, goal=goals, kind=st.sampled_from([*Kind]))
    def new(self, who: str, goal: str, kind: Kind) -> None:
        if len(self.experiments()) < 8:
            self.type(who, f'new "Another idea" --goal {goal} --kind {kind} --appetite S')

    @rule(who=people, key=keys, option=st.sampled_from([*FRAMING.values(), "--goal speed", "--metric f1"]))
    def frame(self, who: str, key: str, option: str) -> None:
        self.type(who, f"frame {key} {option}")

    @rule(who=people, key=keys, kind=st.sampled_from([*Kind]))
    def frame_kind(self, who: str, key: str, kind: Kind) -> None:
        self.type(who, f"frame {key} --kind {kind}")

    @rule(who=people, key=keys, stage=st.sampled_from([*Stage, *LATER]), reason=st.sampled_from(["", "", "late"]))
    def move(self, who: str, key: str, stage: Stage, reason: str) -> None:
        self.type(who, f"move {key} {stage}" + (f' --reason "{reason}"' if reason else ""))

    @rule(who=people, key=keys, over=st.sampled_from(["", "--over incident"]), runs=st.integers(0, 4), value=VALUES)
    def go_on(self, who: str, key: str, over: str, runs: int, value: float) -> None:
        """What a sensible person does next, with the evidence or without."""
        experiment = self.experiments().get(key)
        if experiment is None:
            return
        if not experiment.stage.in_progress:
            self.type(who, f"start {key} {over}")
            return
        self.train(key, "dev" if experiment.stage is Stage.RUNNING else "prod", value, runs)
        if experiment.stage is Stage.DECIDING:
            self.type(who, f'outcome {key} good "a learning"' if runs else f"note {key} seen")
            self.decide(who, key, Decision.ADOPT if over else Decision.ITERATE, "because")
        else:
            self.type(who, f"move {key} {list(Stage)[experiment.stage.rank + 1]}")

    @rule(key=keys, runs=st.sampled_from([(0, 3, 1, 1), (0, 3, 0, 1), (0, 2, 1, 1), (0, 3, 1, 0)]), prod=VALUES)
    def go_far(self, key: str, runs: tuple[int, ...], prod: float) -> None:
        """Ana's straight way, as far as the gates let her."""
        for count, value in zip(runs, (0.75, 0.75, prod, prod), strict=True):
            self.go_on("U0ANA", key, "--over incident", count, value)

    @rule(
        who=people,
        key=keys,
        outcome=st.sampled_from([*Outcome]),
        text=words,
        follow=st.sampled_from(["", "EXP-2", "New"]),
    )
    def outcome(self, who: str, key: str, outcome: Outcome, text: str, follow: str) -> None:
        self.type(who, f'outcome {key} {outcome} "{text}"' + (f" --next {follow}" if follow else ""))

    @rule(who=people, key=keys, decision=st.sampled_from([*Decision]), text=words)
    def decide(self, who: str, key: str, decision: Decision, text: str) -> None:
        before = {e.key: e.decision for e in self.experiments().values()}
        self.type(who, f'decide {key} {decision} "{text}"')
        for experiment in self.experiments().values():
            if experiment.decision != before.get(experiment.key):
                assert who in ("U0ANA", "U0DEE"), "only deciders conclude"
                assert experiment.decided_by == who

    @rule(who=people, key=keys, text=words)
    def extend(self, who: str, key: str, text: str) -> None:
        was = self.experiments().get(key)
        told = self.type(who, f'extend {key} "{text}"')
        if was and not told.problem and was.extensions >= 1:
            assert who in ("U0ANA", "U0DEE"), "only deciders bet beyond the limit"

    @rule(who=people, key=keys, verb=st.sampled_from(["note", "block", "park", "checkpoint"]), text=words)
    def say(self, who: str, key: str, verb: str, text: str) -> None:
        self.type(who, f'{verb} {key} "{text}"')

    @rule(
        who=people,
        key=keys,
        verb=st.sampled_from(["unblock EXP", "undo EXP", "undo", "hill EXP uphill", "edit EXP --impact 3"]),
    )
    def other(self, who: str, key: str, verb: str) -> None:
        self.type(who, verb.replace("EXP", key))

    @rule(who=people, old=people, new=people)
    def reassign(self, who: str, old: str, new: str) -> None:
        self.type(who, f"reassign @{PEOPLE[old]} <@{new}|{PEOPLE[new]}>")

    @rule(who=people, goal=goals, mark=st.sampled_from(MARKS), says=st.sampled_from(["yes", "no", "from May"]))
    def ready(self, who: str, goal: str, mark: str, says: str) -> None:
        self.type(who, f'goal ready {goal} --{mark} "{says}"')

    @rule(key=keys, environment=st.sampled_from(["dev", "prod"]), value=VALUES, count=st.integers(1, 3))
    def train(self, key: str, environment: str, value: float, count: int) -> None:
        experiment = self.experiments().get(key)
        if experiment is None or not experiment.goal:
            return
        with self.services.database.write() as connection:
            found = load_metrics(connection, goal=experiment.goal, name="recall")
            metric = next(m for m in found if m.environment == environment)
            numbers = numbers_by_key(connection, [key])
            for _ in range(count):
                self.now += timedelta(minutes=1)
                reading = Reading(self.now, value, f"r{len(self.runs.made)}", 0, key)
                save_readings(connection, metric, [reading], numbers)
                self.runs.made.append((key, experiment.goal, environment, value))

    @rule(days=st.integers(1, 5))
    def time_passes(self, days: int) -> None:
        self.now += timedelta(days=days)
        before = self.experiments()
        watch_appetites(self.services)
        for key, after in self.experiments().items():
            if after.stage is not before[key].stage:
                assert (after.stage, before[key].stage.in_progress) == (Stage.DECIDING, True), "time only asks"

    # What must hold

    def experiments(self) -> dict[str, Experiment]:
        with self.services.database.read() as connection:
            return {e.key: e for e in load_experiments(connection)}

    def check_way(self, was: Experiment, after: Experiment, who: str) -> None:
        for stage in Stage:
            if was.stage.rank <= stage.rank < after.stage.rank and not (stage.finished):
                assert self.may_leave(stage, was, after), f"{was.key} left {stage} for {after.stage}"

    def may_leave(self, stage: Stage, was: Experiment, after: Experiment) -> bool:
        goal = next((g for g in self.load_goals() if g.key == was.goal), None)
        measured = was.kind not in QUESTIONS
        if stage is Stage.IDEA:
            return bool(was.owner)
        if stage is Stage.DECIDING:
            return bool(after.outcome and after.learning and after.decision and after.decided_by)
        if goal is None:
            return False
        dev, prod = (self.runs.values(was.key, was.goal, environment) for environment in ("dev", "prod"))
        if stage is Stage.FRAMED:
            others = [e for e in self.experiments().values() if e.goal == was.goal and e.key != was.key]
            baseline = goal.baseline is not None or was.kind is Kind.BASELINE
            baseline = baseline or any(e.kind is Kind.BASELINE for e in others)
            named = bool(was.eval_set) or was.goal == "churn"  # where the metric names one
            asked = was.metric == "recall" and named and was.min_effect is not None and baseline
            return bool(was.hypothesis and was.serves) and (asked or not measured)
        if stage is Stage.READY:
            wanted = ("labels", "access", "expert", *(("pipeline",) if measured else ()))
            confirmed = all(goal.mark(name).answer is Answer3.YES for name in wanted)
            beaten = goal.baseline is not None and any(value > goal.baseline for value in self.runs.in_prod(was.goal))
            return confirmed and bool(was.appetite) and (was.kind is not Kind.RESEARCH or beaten)
        if stage is Stage.RUNNING:
            return not measured or len(dev) >= was.min_runs
        alike = bool(dev and prod) and max(dev) - max(prod) <= TOLERANCE + 1e-12
        return not measured or was.kind is Kind.BASELINE or bool(after.parity_reason) or alike

    def load_goals(self) -> list[Goal]:
        with self.services.database.read() as connection:
            return load_goals(connection)

    @invariant()
    def look(self) -> None:
        if not hasattr(self, "seen"):
            return
        with self.services.database.read() as connection:
            for experiment in load_experiments(connection):
                timeline = load_timeline(connection, experiment.key)
                before = self.seen.get(experiment.key, [])
                assert timeline[: len(before)] == before, "an entry was lost or changed"
                assert replay(experiment.number, timeline) == experiment
                self.seen[experiment.key] = timeline
        assert set(self.seen) == set(self.experiments()), "an experiment vanished"


Backlog.TestCase.settings = settings(max_examples=60, stateful_step_count=50, deadline=None)
TestBacklog = Backlog.TestCase
