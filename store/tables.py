"""The tables, in one file because a schema is read as a whole. A change here needs a migration beside it; a test
compares the two."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Dialect,
    Float,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
)

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


def to_micros(at: datetime) -> int:
    """An aware time as whole microseconds since 1970; a naive one raises TypeError rather than guess its zone."""
    return (at - EPOCH) // MICROSECOND


class Instant(TypeDecorator[datetime]):
    """An aware time as whole microseconds since 1970: orders and compares alike in every database."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        """Microseconds; a naive time raises TypeError."""
        return None if value is None else to_micros(value)

    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:
        """An aware UTC time."""
        return None if value is None else EPOCH + timedelta(microseconds=value)


class Json(TypeDecorator[Any]):
    """A JSON document as text."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        """Compact JSON; NaN is refused, for no other reader would accept it."""
        return None if value is None else _to_json(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:
        """The document."""
        return None if value is None else json.loads(value)


def _plain(value: Any) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} has no JSON form")


_to_json = json.JSONEncoder(ensure_ascii=False, allow_nan=False, default=_plain).encode  # `dumps` makes one each time


naming = {"ix": "ix_%(table_name)s_%(column_0_N_name)s", "uq": "uq_%(table_name)s_%(column_0_N_name)s"}
metadata = MetaData(naming_convention=naming)


def _text(name: str, size: int = 0) -> Column[str]:
    return Column(name, String(size) if size else Text, nullable=False, default="", server_default="")


person = Table("person", metadata, Column("id", String(80), primary_key=True), _text("name", 200))

# Who is in the user groups that [roles] names, as Slack last said.
group_member = Table(
    "group_member",
    metadata,
    Column("group", String(40), primary_key=True),
    Column("person", String(80), primary_key=True),
)

goal = Table(
    "goal",
    metadata,
    Column("key", String(40), primary_key=True),
    _text("statement"),
    Column("created_at", Instant, nullable=False),
    _text("created_by", 80),
    Column("anti_goals", Json, nullable=False),
    _text("metric", 80),
    Column("baseline", Float),
    Column("target", Float),
    Column("guardrails", Json, nullable=False),
    Column("stakeholders", Json, nullable=False),
    Column("readiness", Json, nullable=False),
    _text("epic_id", 40),
    _text("epic_key", 80),
)

experiment = Table(
    "experiment",
    metadata,
    Column("number", Integer, primary_key=True),
    _text("title", 200),
    Column("created_at", Instant, nullable=False),
    _text("created_by", 80),
    _text("stage", 20),
    _text("kind", 30),
    _text("goal", 40),
    _text("owner", 80),
    _text("parent", 20),
    _text("hypothesis"),
    _text("metric", 80),
    _text("eval_set", 120),
    Column("min_effect", Float),
    _text("serves"),
    Column("min_runs", Integer, nullable=False),
    _text("appetite", 20),
    Column("learning_value", Integer),
    Column("impact", Integer),
    Column("confidence", Integer),
    Column("effort", Integer),
    Column("labels", Json, nullable=False, default=(), server_default="[]"),
    _text("jira_priority", 80),
    _text("issue_id", 40),
    _text("issue_key", 80),
    _text("issue_url"),
    Column("running_since", Instant),
    Column("stage_since", Instant),
    Column("went_back", Integer, nullable=False),
    _text("parity_reason"),
    _text("blocked_reason"),
    Column("blocked_since", Instant),
    _text("blocked_until", 10),
    _text("parked_reason"),
    Column("parked_since", Instant),
    _text("parked_until", 10),
    _text("hill", 10),
    Column("bet_since", Instant),
    Column("checkpoint_at", Instant),
    Column("extensions", Integer, nullable=False),
    Column("nudged", Integer, nullable=False, default=0, server_default="0"),
    Column("outcome", String(20)),
    Column("reason_code", String(20)),
    _text("learning"),
    _text("next_key", 20),
    _text("outcome_by", 80),
    Column("decision", String(20)),
    _text("decision_reason"),
    _text("decision_evidence"),
    _text("decided_by", 80),
    Column("decided_at", Instant),
    Column("updated_at", Instant),
    Index(None, "stage"),
    Index(None, "goal", "stage"),
    # These answer by themselves what every look at one experiment asks about its goal, its owner and the team.
    Index(None, "goal", "kind", "stage", "parked_since"),
    Index(None, "owner", "stage", "parked_since"),
    Index(None, "issue_id"),
    Index(None, "issue_key"),
    Index(None, "parent"),
    Index(None, "decided_at", "running_since"),
)

timeline = Table(
    "timeline",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("subject", String(60), nullable=False),
    Column("at", Instant, nullable=False),
    _text("who", 80),
    _text("act", 30),
    _text("text"),
    Column("changes", Json, nullable=False),
    Index(None, "subject", "id"),
    Index(None, "who", "id"),
    Index(None, "at"),
)

metric = Table(
    "metric",
    metadata,
    Column("id", Integer, primary_key=True),
    _text("goal", 40),
    _text("name", 80),
    _text("environment", 40),
    _text("source", 80),
    _text("key", 250),
    _text("better", 10),
    _text("aggregation", 20),
    _text("unit", 40),
    _text("eval_set", 120),
    Column("tolerance", Float),
    _text("scope", 500),
    _text("every", 20),
    Column("quantile", Float),
    _text("window", 20),
    Column("polled_since", Instant),
    Column("read_at", Instant),
    UniqueConstraint("goal", "name", "environment"),
)

# One row per run of a metric; `tag` is the key its tracker names, `experiment` the number behind it, or 0. Up to
# `hours_until` its readings are kept by the hour, up to `days_until` by the day; see `store.retention`.
series = Table(
    "series",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("metric_id", Integer, nullable=False),
    _text("run", 250),
    _text("tag", 80),
    Column("experiment", Integer, nullable=False, default=0),
    _text("eval_set", 120),
    Column("hours_until", Instant),
    Column("days_until", Instant),
    UniqueConstraint("metric_id", "run"),
    Index(None, "metric_id", "experiment"),
    Index(None, "tag"),
)

# NULL stands for a value that was not finite: the run diverged, which is not the same as no reading.
reading = Table(
    "reading",
    metadata,
    Column("series_id", Integer, primary_key=True, autoincrement=False),
    Column("at", Instant, primary_key=True),
    Column("step", BigInteger, primary_key=True, autoincrement=False),
    Column("value", Float),
    sqlite_with_rowid=False,
)

# A run that a person gave to an experiment, whatever its tags say.
run_link = Table(
    "run_link",
    metadata,
    Column("source", String(80), primary_key=True),
    Column("run", String(250), primary_key=True),
    Column("experiment", Integer, nullable=False),
)

# What is left of a span of readings: all that any aggregation but a quantile asks for. `span` is in seconds.
rollup = Table(
    "rollup",
    metadata,
    Column("series_id", Integer, primary_key=True, autoincrement=False),
    Column("span", Integer, primary_key=True, autoincrement=False),
    Column("at", Instant, primary_key=True),
    Column("last_at", Instant, nullable=False),
    Column("last_step", BigInteger, nullable=False),
    Column("last", Float),
    Column("low", Float),
    Column("high", Float),
    Column("total", Float, nullable=False),
    Column("finite", Integer, nullable=False),
    Column("failed", Integer, nullable=False),
    sqlite_with_rowid=False,
)

# What each series is worth under its metric, kept up to date with new readings; a row that is missing is computed anew
# from what is stored. NULL stands for a value that was never finite.
worth = Table(
    "worth",
    metadata,
    Column("series_id", Integer, primary_key=True, autoincrement=False),
    Column("last_at", Instant, nullable=False),
    Column("last_step", BigInteger, nullable=False),
    Column("total", Float, nullable=False),
    Column("finite", Integer, nullable=False),
    Column("value", Float),
)

source_state = Table(
    "source_state",
    metadata,
    Column("name", String(80), primary_key=True),
    Column("read_at", Instant),
    _text("error"),
)

issue = Table(
    "issue",
    metadata,
    Column("id", String(40), primary_key=True),
    _text("key", 80),
    _text("url"),
    _text("summary"),
    _text("status", 120),
    _text("category", 40),
    _text("resolution", 120),
    _text("assignee", 200),
    Column("updated", Instant, nullable=False),
    Column("due", String(10)),
    _text("sprint", 250),
    Column("labels", Json, nullable=False, default=(), server_default="[]"),
    _text("priority", 80),
    _text("assignee_id", 160),
    Column("unreachable_since", Instant),
    _text("parent_key", 80),
    Index(None, "key"),
)

# The newest comments that people wrote on the issue of an experiment, for show.
issue_comment = Table(
    "issue_comment",
    metadata,
    Column("issue_id", String(40), primary_key=True),
    Column("id", String(40), primary_key=True),
    Column("at", Instant, nullable=False),
    _text("author", 200),
    _text("text"),
)

# What a field was here and in Jira when both were last in line; see `backlog.merge`.
agreed = Table(
    "agreed",
    metadata,
    Column("issue_id", String(40), primary_key=True),
    Column("field", String(40), primary_key=True),
    Column("ours", Json),
    Column("theirs", Json),
)

# A write to an issue that is under way; see `backlog.intent`.
intent = Table(
    "intent",
    metadata,
    Column("issue_id", String(40), primary_key=True),
    Column("mark", BigInteger, nullable=False),
    Column("sent", Json, nullable=False),
    Column("block", Boolean, nullable=False),
    Column("told", Json, nullable=False),
)

# When the bot changed an issue, for the budget of each.
jira_write = Table(
    "jira_write",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("issue_id", String(40), nullable=False),
    Column("at", Instant, nullable=False),
    Index(None, "issue_id", "at"),
)

message = Table(
    "message",
    metadata,
    Column("name", String(120), primary_key=True),
    _text("channel", 40),
    _text("ts", 40),
)

outbox = Table(
    "outbox",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("key", String(64), nullable=False, unique=True),
    _text("target", 160),
    _text("kind", 40),
    Column("payload", Json, nullable=False),
    _text("state", 20),
    Column("attempt", Integer, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("not_before", Instant, nullable=False),
    Column("sending_since", Instant),
    Column("deadline", Instant),
    Column("resent", Boolean, nullable=False),
    Column("result", Json),
    _text("error"),
    Index(None, "state", "not_before"),
    Index(None, "target", "id"),
)

task = Table(
    "task",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("key", String(160), nullable=False, unique=True),
    _text("name", 60),
    Column("args", Json, nullable=False),
    _text("state", 20),
    Column("attempt", Integer, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("not_before", Instant, nullable=False),
    Column("lease_until", Instant),
    _text("error"),
    Index(None, "state", "not_before"),
)

# The migrations of procrastinate that a PostgreSQL has; its own tables beside these do the tasks' work there.
queue_migration = Table("queue_migration", metadata, Column("name", String(120), primary_key=True))

schedule = Table(
    "schedule",
    metadata,
    Column("name", String(160), primary_key=True),
    Column("checked_until", Instant, nullable=False),
)

occurrence = Table(
    "occurrence",
    metadata,
    Column("schedule", String(160), primary_key=True),
    Column("period", String(40), primary_key=True),
    Column("due_at", Instant, nullable=False),
    Column("made_at", Instant, nullable=False),
)

report = Table(
    "report",
    metadata,
    Column("id", String(160), primary_key=True),
    _text("report", 60),
    _text("audience", 60),
    _text("period", 20),
    Column("made_at", Instant, nullable=False),
    Column("snapshot", Text, nullable=False),
    _text("slack"),
    _text("html"),
    _text("text"),
    _text("note"),
)

# Deliveries already handled: Slack may hand over the same signed request again within five minutes.
delivery = Table(
    "delivery",
    metadata,
    Column("key", String(160), primary_key=True),
    Column("at", Instant, nullable=False),
)

# Who hears of what; `told` is the timeline's id up to which they were told.
subscription = Table(
    "subscription",
    metadata,
    Column("id", Integer, primary_key=True),
    _text("person", 80),
    Column("created_at", Instant, nullable=False),
    _text("channel", 80),
    _text("goal", 40),
    _text("experiment", 20),
    Column("events", Json, nullable=False),
    _text("digest", 120),
    Column("told", Integer, nullable=False),
    UniqueConstraint("person", "channel", "goal", "experiment"),
)

# What a person ("U…") or a channel ("C…") has set for itself.
preference = Table(
    "preference",
    metadata,
    Column("subject", String(80), primary_key=True),
    Column("name", String(40), primary_key=True),
    _text("value", 200),
)

# When each decider was last reminded of a waiting decision, and until when they asked not to be.
reminder = Table(
    "reminder",
    metadata,
    Column("person", String(80), primary_key=True),
    Column("experiment", String(20), primary_key=True),
    Column("at", Instant),
    Column("snoozed_until", Instant),
)

# Reports that people scheduled in the chat, beside those of [[reports]]; `channel` may be a person's id.
report_schedule = Table(
    "report_schedule",
    metadata,
    Column("number", Integer, primary_key=True),
    _text("report", 60),
    _text("audience", 60),
    _text("cadence", 80),
    _text("channel", 80),
    Column("emails", Json, nullable=False),
    _text("reviewer", 80),
    Column("preview_hours", Integer, nullable=False),
    _text("made_by", 80),
    Column("made_at", Instant, nullable=False),
    UniqueConstraint("report", "audience", "channel"),
)

# What does not go out: a schedule by its key, "reports" for all of them, "posts" for all the bot says by itself.
pause = Table(
    "pause",
    metadata,
    Column("what", String(160), primary_key=True),
    _text("until", 10),
    _text("who", 80),
    Column("at", Instant, nullable=False),
)

# What was forecast, as first told, and how it came out; see `backlog.reliability`.
forecast = Table(
    "forecast",
    metadata,
    Column("number", Integer, primary_key=True),
    _text("subject", 60),
    Column("metric_id", Integer, nullable=False),
    Column("made_at", Instant, nullable=False),
    Column("trials", Integer, nullable=False),
    Column("ahead", Integer, nullable=False),
    Column("target", Float, nullable=False),
    _text("better", 10),
    Column("chance", Float, nullable=False),
    Column("base", Float, nullable=False),
    Column("hit", Boolean),
    Column("settled_at", Instant),
    UniqueConstraint("subject", "metric_id", "trials", "ahead", "target"),
)

# People's rules on metrics; see `backlog.watch`. Goal, name and environment are those of the metric.
watch = Table(
    "watch",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("metric_id", Integer, nullable=False),
    _text("goal", 40),
    _text("name", 80),
    _text("environment", 40),
    _text("side", 10),
    Column("bound", Float, nullable=False),
    Column("needed", Integer, nullable=False),
    Column("recover", Float, nullable=False),
    _text("made_by", 80),
    Column("since", Instant, nullable=False),
    Column("fired", Boolean, nullable=False),
    Column("silent", Boolean, nullable=False),
    UniqueConstraint("metric_id", "side"),
)

# The register of risks; see `backlog.register`. Manual ones have the rule "manual".
risk = Table(
    "risk",
    metadata,
    Column("number", Integer, primary_key=True),
    _text("rule", 40),
    _text("subject", 60),
    _text("cause"),
    _text("effect"),
    _text("evidence"),
    _text("owner", 80),
    _text("action"),
    Column("exposure", Float, nullable=False),
    _text("review_on", 10),
    Column("opened_at", Instant, nullable=False),
    Column("seen_at", Instant, nullable=False),
    Column("resolved_at", Instant),
    _text("answer", 20),
    _text("answered_by", 80),
    _text("why"),
    _text("answer_until", 10),
    Index(None, "resolved_at"),
    Index(None, "subject"),
)

# Whoever inserts the row hands the report to the outbox for that place: a channel, a person or an address.
report_sent = Table(
    "report_sent",
    metadata,
    Column("report_id", String(160), primary_key=True),
    Column("place", String(250), primary_key=True),
    Column("at", Instant, nullable=False),
)

# What people said of a report before it was due.
report_review = Table(
    "report_review",
    metadata,
    Column("report_id", String(160), primary_key=True),
    _text("line"),
    _text("line_by", 80),
    _text("verdict", 20),
    _text("verdict_by", 80),
)

# The workspaces that installed the app through Slack; only the home database's rows count. `id` is the team's, or the
# organisation's of one that was installed for all of its workspaces. Tokens are sealed, see `store.vault`.
installation = Table(
    "installation",
    metadata,
    Column("id", String(40), primary_key=True),
    _text("team", 40),
    _text("enterprise", 40),
    _text("name", 200),
    _text("bot_user", 40),
    _text("scopes"),
    _text("installed_by", 80),
    Column("installed_at", Instant, nullable=False),
    Column("gone_at", Instant),
    _text("token"),
    _text("refresh"),
    Column("expires_at", Instant),
    Column("renewing_until", Instant),
    Index(None, "enterprise"),
)

# What this installation made up for itself, such as the key of its links.
own_secret = Table("own_secret", metadata, Column("name", String(40), primary_key=True), _text("value"))

# What people thought of each section of a report; the latest counts.
feedback = Table(
    "feedback",
    metadata,
    Column("report_id", String(160), primary_key=True),
    Column("section", String(80), primary_key=True),
    Column("person", String(80), primary_key=True),
    _text("verdict", 20),
    Column("at", Instant, nullable=False),
)

# Addresses that want no more mail, and those a server refused; `left_at` is empty again after they came back.
mail_address = Table(
    "mail_address",
    metadata,
    Column("address", String(254), primary_key=True),
    Column("left_at", Instant),
    Column("bounced_at", Instant),
    _text("reason"),
)
