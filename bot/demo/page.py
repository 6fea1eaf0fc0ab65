"""The demo in a browser: the story is played, then the product goes on as `scrumbut serve` does, and one page shows it.

The page is the sandbox's; here it is told what the product's commands, reports and models are.
"""

import signal
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path

import click
import typer

from backlog.errors import NotFound
from backlog.experiment import Stage
from bot.demo.models import RECIPES
from bot.demo.printed import tell
from bot.demo.story import IDEAS, Story, open_story
from bot.flows.services import Services
from bot.flows.show_report import draft, write_out
from bot.manifest import SHORTCUTS
from bot.serve import start_work
from bot.verbs import exp
from sandbox.page.beside import Beside, Command, Field, Option, Pair, Shortcut, Step, Workbench
from sandbox.page.web import Page
from sandbox.serving import serving
from store.experiments import load_experiments
from store.goals import load_goals
from store.reports import find_report, list_reports

NOW = "now"  # the report of the week in hand, as far as it has come
SEEDS = 4  # models a press of the button trains
RUN_TAKES = timedelta(hours=4)  # of the story's time
ENVIRONMENTS = (("dev", "Clients that were held out"), ("prod", "Production's clients"))


def serve_page(port: int) -> None:
    """Play the story and serve the page until Ctrl-C. Raises OSError where the port is taken."""
    with ExitStack() as running:
        story = open_story(Path(running.enter_context(tempfile.TemporaryDirectory())), running)
        tell(story)
        story.clock.run_on()
        story.slack.pace.on = True  # from here on people are at it, and Slack's limits hold
        start_work(story.settings, story.services, running)
        page = Page(story.slack, story.jira, story.edge, beside_of(story))
        address = running.enter_context(serving(page.app, port))
        running.callback(page.close)
        typer.echo(f"Open {address} in a browser. Ctrl-C ends it.")
        wait_for_end()


def wait_for_end() -> None:
    """Until Ctrl-C or SIGTERM; either lets everything end in order."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        typer.echo("")


def beside_of(story: Story) -> Beside:
    """All that the page cannot know of itself."""
    return Beside(
        command=story.settings.slack.command,
        commands=list(_commands(exp)),
        shortcuts=[Shortcut(s["callback_id"], s["name"], s["type"] == "message") for s in SHORTCUTS],
        steps=_steps(f"EXP-{len(IDEAS) + 1}"),
        words=partial(_words, story),
        documents=partial(_documents, story),
        read=partial(_read, story),
        forward=lambda span: story.clock.forward(seconds=span.total_seconds()),
        bench=_bench(story),
    )


def _commands(group: click.Group, prefix: str = "") -> Iterator[Command]:
    for name, verb in group.commands.items():
        if isinstance(verb, click.Group):
            yield from _commands(verb, f"{prefix}{name} ")
        else:
            yield Command(f"{prefix}{name}", verb.get_short_help_str(limit=80), list(_options(verb)))


def _options(verb: click.Command) -> Iterator[Option]:
    for param in verb.params:
        if isinstance(param, click.Option) and param.name != "help":
            choices = [str(one) for one in param.type.choices] if isinstance(param.type, click.Choice) else []
            yield Option(param.opts[-1], param.help or "", choices)


def _steps(key: str) -> Sequence[Step]:
    frame = (
        f'frame {key} --hypothesis "We believe the size of a feature tells more than its sign" --metric recall '
        '--min-effect 0.02 --appetite S --decision "which model calls the clients?"'
    )
    return (
        Step(
            "Put an idea on the backlog. What is like it is shown first: press “Create it anyway”.",
            'new "The size of each feature finds more leavers" --goal churn --kind improvement --jira ML',
        ),
        Step(f"Say how the answer will be known. (/exp frame {key} alone opens a form.)", frame),
        Step("Everything is there: it is ready.", f"move {key} ready"),
        Step("Commit. From here its age is counted.", f"start {key}"),
        Step(
            "Train models on development data. The bot reads their metrics by itself.",
            bench={"experiment": key, "recipe": "sizes", "environment": "dev"},
        ),
        Step("See what the bot has read.", f"show {key}"),
        Step("Measured in development. Now the same in production.", f"move {key} observing"),
        Step(
            "Hold the models against production's clients.",
            bench={"experiment": key, "recipe": "sizes", "environment": "prod"},
        ),
        Step("See development and production side by side.", f"compare {key} --dev --prod --baseline"),
        Step("Time to decide.", f"move {key} deciding"),
        Step("Say what was found and what follows. A gain too small to act on is an answer, too.", f"outcome {key}"),
        Step(
            "See what managers would read now. On Monday at nine it is posted: let time pass.", "report preview weekly"
        ),
    )


def _words(story: Story) -> list[Pair]:
    with story.services.database.read() as connection:
        experiments = [(e.key, e.title) for e in load_experiments(connection)]
        return [*reversed(experiments), *((goal.key, goal.statement) for goal in load_goals(connection))]


def _documents(story: Story) -> list[Pair]:
    with story.services.database.read() as connection:
        known = list_reports(connection)
    return [
        (NOW, "As it will be posted on Monday, if nothing else happens"),
        *((id_, f"{id_}, posted {at:%d %b %Y}") for id_, _, at in known),
    ]


def _read(story: Story, name: str) -> str:
    if name == NOW:
        return write_out(*draft(_on_monday(story), "weekly"), "html")[0].decode()
    try:
        with story.services.database.read() as connection:
            return find_report(connection, name).html
    except NotFound as error:
        raise LookupError(str(error)) from error


def _on_monday(story: Story) -> Services:
    """The services by the clock of the next report's time: then this week's acts are last week's news."""
    now = story.clock()
    due = story.services.reports[0].schedule.times(now, now + timedelta(days=8))[0]
    return replace(story.services, now=lambda: due)


def _bench(story: Story) -> Workbench:
    return Workbench(
        name="Training",
        about=f"Each press trains {SEEDS} models, here and now, with numpy. A run takes {RUN_TAKES.seconds // 3600} "
        "hours of the story's time; what it measures is written to a file that the bot polls.",
        button=f"Train {SEEDS} models",
        fields=partial(_fields, story),
        run=partial(_train, story),
        done=lambda: [_told(row) for row in reversed(story.logged)],
    )


def _fields(story: Story) -> Sequence[Field]:
    with story.services.database.read() as connection:
        open_ = [e for e in load_experiments(connection) if not e.stage.finished and e.stage is not Stage.IDEA]
    experiments = [(e.key, f"{e.key} {e.title} · {e.stage}") for e in reversed(open_)]
    return (
        Field("experiment", "For which experiment", experiments),
        Field("recipe", "What to train", [(name, recipe.name) for name, recipe in RECIPES.items()]),
        Field("environment", "Measured on", ENVIRONMENTS),
    )


def _train(story: Story, chosen: Mapping[str, str]) -> str:
    recipe, key, environment = RECIPES.get(chosen["recipe"]), chosen["experiment"], chosen["environment"]
    if recipe is None or not key:
        raise ValueError("Choose an experiment and what to train. An experiment must be framed first.")
    values = []
    for seed in range(story.trained, story.trained + SEEDS):
        value = story.clients.score(seed, recipe.grow, environment == "prod", **recipe.how)
        story.clock.forward(seconds=RUN_TAKES.total_seconds())
        story.log_run(key, environment, value)
        values.append(value)
    return f"Trained: recall {', '.join(f'{value:.3f}' for value in values)}. The bot reads it within seconds."


def _told(row: Mapping[str, object]) -> str:
    when = str(row["time"])[:16].replace("T", " ")
    return f"{row['run']} · {row['experiment']} · {row['environment']} · recall {row['value']} · {when}"
