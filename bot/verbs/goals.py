"""Verbs on goals: what the business wants, and whether the data is ready."""

from datetime import datetime
from typing import Any

import click

from backlog.goal import READINESS, Goal, read_mark
from bot.flows.link_issue import link_epic
from bot.flows.manage_goals import change_goal, mark_ready, record_deployment, state_goal
from bot.flows.read_backlog import list_goals, show_goal
from bot.verbs.answer import Answer, table_of
from bot.verbs.experiments import pass_request, text_argument
from bot.verbs.grammar import Request, exp


@exp.group(
    "goal",
    offers=(
        ("Goals", "goal show"),
        ("New goal", "goal add"),
        ("Is the data ready?", "goal ready"),
        ("Change a goal", "goal edit"),
        ("Pair with an epic", "goal link"),
    ),
)
def goal() -> None:
    """Goals: what the business wants, and whether the data is ready"""


@goal.command("add")
@click.argument("key")
@text_argument("statement")
@click.option("--not", "anti_goals", multiple=True, help="What it is not about; may be given again.")
@click.option("--guardrail", "guardrails", multiple=True, help="What must not get worse; may be given again.")
@click.option("--stakeholder", "stakeholders", multiple=True, help="Who waits for the answer; may be given again.")
@click.option("--metric", default="", help="The metric that stands for it.")
@click.option("--baseline", type=float, help="Where we stand, in the metric's unit.")
@click.option("--target", type=float, help="Where we want to be, in the metric's unit.")
@pass_request
def add(request: Request, /, key: str, statement: tuple[str, ...], **fields: Any) -> Answer:
    """State a goal: /exp goal add churn "keep active clients" --metric recall --baseline 0.71 --target 0.80"""
    stated = Goal(
        key=key,
        statement=" ".join(statement).strip(),
        created_at=request.services.now(),
        created_by=request.caller.id,
        **{**fields, **{name: tuple(fields[name]) for name in ("anti_goals", "guardrails", "stakeholders")}},
    )
    done = state_goal(request.services, request.caller, stated)
    ask = f"/exp goal ready {done.key} --labels yes --access yes --expert yes"
    return Answer(f"Goal {done.key}: {done.statement}", more=(f"Next: {ask}",), data={"key": done.key})


@goal.command("show", reads=True)
@click.argument("key", required=False)
@pass_request
def show(request: Request, /, key: str | None) -> Answer:
    """One goal with its numbers and readiness, or all of them."""
    if key is None:
        return _all(request)
    shown = show_goal(request.services, key)
    found = shown.goal
    facts = [
        ("not about", "; ".join(found.anti_goals)),
        ("guardrails", "; ".join(found.guardrails)),
        ("stakeholders", ", ".join(found.stakeholders)),
        ("epic", found.epic_key),
        ("metric", found.metric),
        ("baseline → best → target", f"{_number(found.baseline)} → {shown.best} → {_number(found.target)}"),
        *(
            (name, _past(name, at, why, before))
            for at, why, values in shown.past
            for name, before in values.items()
            if name in ("baseline", "target")
        ),
        ("readiness", _readiness(found)),
        *((f"{'✓' if holds else '✗'} {name}", why) for name, holds, why in shown.practices),
        *(("in production", f"{version} since {at:%d %b %Y}") for at, version in shown.deployments[-1:]),
        ("experiments", ", ".join(f"{count} {stage}" for stage, count in shown.stages.items())),
    ]
    rows = [(m.name, m.environment, m.source, m.key, m.aggregation, m.better, m.eval_set) for m in shown.metrics]
    headings = ("metric", "environment", "source", "key", "aggregation", "better", "evaluation set")
    return Answer(
        f"{found.key}: {found.statement}",
        facts=tuple((name, value) for name, value in facts if value),
        table=table_of(headings, rows) if rows else None,
        data={
            "key": found.key,
            "statement": found.statement,
            "anti_goals": found.anti_goals,
            "metric": found.metric,
            "baseline": found.baseline,
            "target": found.target,
            "readiness": {name: found.mark(name).answer for name in READINESS},
            "practices": {name: holds for name, holds, _ in shown.practices},
        },
    )


def _readiness(found: Goal) -> str:
    marks = ((name, found.mark(name)) for name in READINESS)
    return "; ".join(f"{name} {mark.answer}{f' ({mark.note})' if mark.note else ''}" for name, mark in marks)


def _past(name: str, at: datetime, why: str, before: float | None) -> str:
    return f"was {_number(before)} until {at:%d %b %Y}{f': {why}' if why else ''}"


def _all(request: Request) -> Answer:
    goals = list_goals(request.services)
    if not goals:
        return Answer("No goals yet.", more=('/exp goal add churn "keep active clients"',), data=[])
    rows = [(g.key, g.statement, g.metric, _number(g.baseline), _number(g.target)) for g in goals]
    headings = ("goal", "statement", "metric", "baseline", "target")
    return Answer(f"{len(goals)} goals", table=table_of(headings, rows), data=[g.key for g in goals])


@goal.command("ready")
@click.argument("key")
@click.option("--exists", help="The data exists: yes, no, unknown, or a sentence.")
@click.option("--labels", help='Labels exist: yes, no, unknown, or a sentence ("from 1 May").')
@click.option("--access", help="We may use the data.")
@click.option("--expert", help="A domain expert is at hand.")
@click.option("--pipeline", help="The evaluation pipeline ran on the baseline.")
@click.option("--infrastructure", help="Training and serving are there, iterations are fast.")
@click.option("--tests-infrastructure", help="The infrastructure is tested.")
@click.option("--tests-data", help="The data is tested.")
@click.option("--tests-code", help="The code is tested.")
@click.option("--tests-deployment", help="The deployment is tested.")
@pass_request
def ready(request: Request, /, key: str, **marks: str | None) -> Answer:
    """Answer whether data, infrastructure and tests are ready."""
    given = {name.replace("_", "-"): read_mark(text) for name, text in marks.items() if text is not None}
    done = mark_ready(request.services, request.caller, key, given)
    facts = tuple((name, f"{done.mark(name).answer} {done.mark(name).note}".strip()) for name in READINESS)
    return Answer(f"Readiness of {done.key}", facts=facts, data={name: done.mark(name).answer for name in READINESS})


@goal.command("edit")
@click.argument("key")
@text_argument("why", required=False)
@click.option("--statement", help="What the business wants.")
@click.option("--not", "anti_goals", multiple=True, help="What it is not about; replaces those there were.")
@click.option("--guardrail", "guardrails", multiple=True, help="What must not get worse; replaces those there were.")
@click.option("--stakeholder", "stakeholders", multiple=True, help="Who waits for it; replaces those there were.")
@click.option("--metric", help="The metric that stands for it.")
@click.option("--baseline", type=float, help="Where we stand.")
@click.option("--target", type=float, help="Where we want to be.")
@pass_request
def edit(request: Request, /, key: str, why: tuple[str, ...], **fields: Any) -> Answer:
    """Change a goal; its old numbers stay on its timeline: /exp goal edit churn --target 0.82 "new contract" """
    changes = {name: value for name, value in fields.items() if value not in (None, (), "")}
    done = change_goal(request.services, request.caller, key, changes, " ".join(why))
    return Answer(f"Goal {done.key}: {', '.join(changes)} changed.", data={"key": done.key})


@goal.command("link", slow=True)
@click.argument("key")
@click.argument("epic", metavar="ISSUE")
@pass_request
def link(request: Request, /, key: str, epic: str) -> Answer:
    """Pair a goal with its epic in Jira: /exp goal link churn ML-7"""
    done = link_epic(request.services, request.caller, key, epic)
    return Answer(f"The epic of {done.key} is {done.epic_key}.", data={"key": done.key, "epic": done.epic_key})


@exp.command("deployed")
@click.argument("key", metavar="GOAL")
@click.argument("version")
@pass_request
def deployed(request: Request, /, key: str, version: str) -> Answer:
    """Record that a version of a goal's model went to production: /exp deployed churn v12"""
    goal = record_deployment(request.services, request.caller, key, version)
    return Answer(f"{goal.key}: {version} is in production.", data={"key": goal.key, "version": version})


def _number(value: float | None) -> str:
    return "?" if value is None else f"{value:g}"
