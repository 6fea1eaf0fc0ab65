"""The first schema."""

import sqlalchemy as sa
from alembic import op

import store.tables

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "delivery",
        sa.Column("key", sa.String(length=160), nullable=False),
        sa.Column("at", store.tables.Instant(), nullable=False),
        sa.PrimaryKeyConstraint("key"),
    )
    op.create_table(
        "experiment",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("title", sa.String(length=200), server_default="", nullable=False),
        sa.Column("created_at", store.tables.Instant(), nullable=False),
        sa.Column("created_by", sa.String(length=80), server_default="", nullable=False),
        sa.Column("stage", sa.String(length=20), server_default="", nullable=False),
        sa.Column("kind", sa.String(length=30), server_default="", nullable=False),
        sa.Column("goal", sa.String(length=40), server_default="", nullable=False),
        sa.Column("owner", sa.String(length=80), server_default="", nullable=False),
        sa.Column("hypothesis", sa.Text(), server_default="", nullable=False),
        sa.Column("metric", sa.String(length=80), server_default="", nullable=False),
        sa.Column("eval_set", sa.String(length=120), server_default="", nullable=False),
        sa.Column("min_effect", sa.Float(), nullable=True),
        sa.Column("serves", sa.Text(), server_default="", nullable=False),
        sa.Column("min_runs", sa.Integer(), nullable=False),
        sa.Column("appetite", sa.String(length=20), server_default="", nullable=False),
        sa.Column("issue_id", sa.String(length=40), server_default="", nullable=False),
        sa.Column("issue_key", sa.String(length=80), server_default="", nullable=False),
        sa.Column("issue_url", sa.Text(), server_default="", nullable=False),
        sa.Column("running_since", store.tables.Instant(), nullable=True),
        sa.Column("stage_since", store.tables.Instant(), nullable=True),
        sa.Column("went_back", sa.Integer(), nullable=False),
        sa.Column("parity_reason", sa.Text(), server_default="", nullable=False),
        sa.Column("blocked_reason", sa.Text(), server_default="", nullable=False),
        sa.Column("blocked_since", store.tables.Instant(), nullable=True),
        sa.Column("parked_reason", sa.Text(), server_default="", nullable=False),
        sa.Column("parked_since", store.tables.Instant(), nullable=True),
        sa.Column("parked_until", sa.String(length=10), server_default="", nullable=False),
        sa.Column("hill", sa.String(length=10), server_default="", nullable=False),
        sa.Column("bet_since", store.tables.Instant(), nullable=True),
        sa.Column("checkpoint_at", store.tables.Instant(), nullable=True),
        sa.Column("extensions", sa.Integer(), nullable=False),
        sa.Column("outcome", sa.String(length=20), nullable=True),
        sa.Column("learning", sa.Text(), server_default="", nullable=False),
        sa.Column("next_key", sa.String(length=20), server_default="", nullable=False),
        sa.Column("outcome_by", sa.String(length=80), server_default="", nullable=False),
        sa.Column("decision", sa.String(length=20), nullable=True),
        sa.Column("decision_reason", sa.Text(), server_default="", nullable=False),
        sa.Column("decided_by", sa.String(length=80), server_default="", nullable=False),
        sa.Column("decided_at", store.tables.Instant(), nullable=True),
        sa.Column("updated_at", store.tables.Instant(), nullable=True),
        sa.PrimaryKeyConstraint("number"),
    )
    with op.batch_alter_table("experiment", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_experiment_goal"), ["goal"], unique=False)
        batch_op.create_index(batch_op.f("ix_experiment_issue_id"), ["issue_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_experiment_owner"), ["owner"], unique=False)
        batch_op.create_index(batch_op.f("ix_experiment_stage"), ["stage"], unique=False)

    op.create_table(
        "goal",
        sa.Column("key", sa.String(length=40), nullable=False),
        sa.Column("statement", sa.Text(), server_default="", nullable=False),
        sa.Column("created_at", store.tables.Instant(), nullable=False),
        sa.Column("created_by", sa.String(length=80), server_default="", nullable=False),
        sa.Column("anti_goals", store.tables.Json(), nullable=False),
        sa.Column("metric", sa.String(length=80), server_default="", nullable=False),
        sa.Column("baseline", sa.Float(), nullable=True),
        sa.Column("target", sa.Float(), nullable=True),
        sa.Column("guardrails", store.tables.Json(), nullable=False),
        sa.Column("stakeholders", store.tables.Json(), nullable=False),
        sa.Column("readiness", store.tables.Json(), nullable=False),
        sa.PrimaryKeyConstraint("key"),
    )
    op.create_table(
        "issue",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("key", sa.String(length=80), server_default="", nullable=False),
        sa.Column("url", sa.Text(), server_default="", nullable=False),
        sa.Column("summary", sa.Text(), server_default="", nullable=False),
        sa.Column("status", sa.String(length=120), server_default="", nullable=False),
        sa.Column("category", sa.String(length=40), server_default="", nullable=False),
        sa.Column("resolution", sa.String(length=120), server_default="", nullable=False),
        sa.Column("assignee", sa.String(length=200), server_default="", nullable=False),
        sa.Column("updated", store.tables.Instant(), nullable=False),
        sa.Column("due", sa.String(length=10), nullable=True),
        sa.Column("sprint", sa.String(length=250), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("issue", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_issue_key"), ["key"], unique=False)

    op.create_table(
        "message",
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("channel", sa.String(length=40), server_default="", nullable=False),
        sa.Column("ts", sa.String(length=40), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "metric",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("goal", sa.String(length=40), server_default="", nullable=False),
        sa.Column("name", sa.String(length=80), server_default="", nullable=False),
        sa.Column("environment", sa.String(length=40), server_default="", nullable=False),
        sa.Column("source", sa.String(length=80), server_default="", nullable=False),
        sa.Column("key", sa.String(length=250), server_default="", nullable=False),
        sa.Column("better", sa.String(length=10), server_default="", nullable=False),
        sa.Column("aggregation", sa.String(length=20), server_default="", nullable=False),
        sa.Column("unit", sa.String(length=40), server_default="", nullable=False),
        sa.Column("eval_set", sa.String(length=120), server_default="", nullable=False),
        sa.Column("tolerance", sa.Float(), nullable=True),
        sa.Column("scope", sa.String(length=500), server_default="", nullable=False),
        sa.Column("polled_since", store.tables.Instant(), nullable=True),
        sa.Column("read_at", store.tables.Instant(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("goal", "name", "environment", name=op.f("uq_metric_goal_name_environment")),
    )
    op.create_table(
        "occurrence",
        sa.Column("schedule", sa.String(length=160), nullable=False),
        sa.Column("period", sa.String(length=40), nullable=False),
        sa.Column("due_at", store.tables.Instant(), nullable=False),
        sa.Column("made_at", store.tables.Instant(), nullable=False),
        sa.PrimaryKeyConstraint("schedule", "period"),
    )
    op.create_table(
        "outbox",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("target", sa.String(length=160), server_default="", nullable=False),
        sa.Column("kind", sa.String(length=40), server_default="", nullable=False),
        sa.Column("payload", store.tables.Json(), nullable=False),
        sa.Column("state", sa.String(length=20), server_default="", nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("created_at", store.tables.Instant(), nullable=False),
        sa.Column("not_before", store.tables.Instant(), nullable=False),
        sa.Column("sending_since", store.tables.Instant(), nullable=True),
        sa.Column("deadline", store.tables.Instant(), nullable=True),
        sa.Column("resent", sa.Boolean(), nullable=False),
        sa.Column("result", store.tables.Json(), nullable=True),
        sa.Column("error", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("key", name=op.f("uq_outbox_key")),
    )
    with op.batch_alter_table("outbox", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_outbox_state_not_before"), ["state", "not_before"], unique=False)
        batch_op.create_index(batch_op.f("ix_outbox_target_id"), ["target", "id"], unique=False)

    op.create_table(
        "person",
        sa.Column("id", sa.String(length=80), nullable=False),
        sa.Column("name", sa.String(length=200), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "reading",
        sa.Column("series_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("at", store.tables.Instant(), nullable=False),
        sa.Column("step", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("value", sa.Float(), nullable=True),
        sa.PrimaryKeyConstraint("series_id", "at", "step"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "report",
        sa.Column("id", sa.String(length=160), nullable=False),
        sa.Column("report", sa.String(length=60), server_default="", nullable=False),
        sa.Column("audience", sa.String(length=60), server_default="", nullable=False),
        sa.Column("period", sa.String(length=20), server_default="", nullable=False),
        sa.Column("made_at", store.tables.Instant(), nullable=False),
        sa.Column("snapshot", sa.Text(), nullable=False),
        sa.Column("slack", sa.Text(), server_default="", nullable=False),
        sa.Column("html", sa.Text(), server_default="", nullable=False),
        sa.Column("text", sa.Text(), server_default="", nullable=False),
        sa.Column("note", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "schedule",
        sa.Column("name", sa.String(length=160), nullable=False),
        sa.Column("checked_until", store.tables.Instant(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "series",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("metric_id", sa.Integer(), nullable=False),
        sa.Column("run", sa.String(length=250), server_default="", nullable=False),
        sa.Column("tag", sa.String(length=80), server_default="", nullable=False),
        sa.Column("experiment", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("metric_id", "run", name=op.f("uq_series_metric_id_run")),
    )
    with op.batch_alter_table("series", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_series_metric_id_experiment"), ["metric_id", "experiment"], unique=False)
        batch_op.create_index(batch_op.f("ix_series_tag"), ["tag"], unique=False)

    op.create_table(
        "source_state",
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("read_at", store.tables.Instant(), nullable=True),
        sa.Column("error", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "task",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("key", sa.String(length=160), nullable=False),
        sa.Column("name", sa.String(length=60), server_default="", nullable=False),
        sa.Column("args", store.tables.Json(), nullable=False),
        sa.Column("state", sa.String(length=20), server_default="", nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("created_at", store.tables.Instant(), nullable=False),
        sa.Column("not_before", store.tables.Instant(), nullable=False),
        sa.Column("lease_until", store.tables.Instant(), nullable=True),
        sa.Column("error", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("key", name=op.f("uq_task_key")),
    )
    with op.batch_alter_table("task", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_task_state_not_before"), ["state", "not_before"], unique=False)

    op.create_table(
        "timeline",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("subject", sa.String(length=60), nullable=False),
        sa.Column("at", store.tables.Instant(), nullable=False),
        sa.Column("who", sa.String(length=80), server_default="", nullable=False),
        sa.Column("act", sa.String(length=30), server_default="", nullable=False),
        sa.Column("text", sa.Text(), server_default="", nullable=False),
        sa.Column("changes", store.tables.Json(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    with op.batch_alter_table("timeline", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_timeline_at"), ["at"], unique=False)
        batch_op.create_index(batch_op.f("ix_timeline_subject_id"), ["subject", "id"], unique=False)

    if op.get_bind().dialect.name == "postgresql":
        op.execute("CREATE TABLE memory (number INTEGER PRIMARY KEY, words TEXT NOT NULL)")
        op.execute("CREATE INDEX ix_memory_words ON memory USING gin (to_tsvector('simple', words))")
    else:
        op.execute("CREATE VIRTUAL TABLE memory USING fts5 (words, tokenize = 'unicode61 remove_diacritics 2')")


def downgrade() -> None:
    op.execute("DROP TABLE memory")
    with op.batch_alter_table("timeline", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_timeline_subject_id"))
        batch_op.drop_index(batch_op.f("ix_timeline_at"))

    op.drop_table("timeline")
    with op.batch_alter_table("task", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_task_state_not_before"))

    op.drop_table("task")
    op.drop_table("source_state")
    with op.batch_alter_table("series", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_series_tag"))
        batch_op.drop_index(batch_op.f("ix_series_metric_id_experiment"))

    op.drop_table("series")
    op.drop_table("schedule")
    op.drop_table("report")
    op.drop_table("reading")
    op.drop_table("person")
    with op.batch_alter_table("outbox", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_outbox_target_id"))
        batch_op.drop_index(batch_op.f("ix_outbox_state_not_before"))

    op.drop_table("outbox")
    op.drop_table("occurrence")
    op.drop_table("metric")
    op.drop_table("message")
    with op.batch_alter_table("issue", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_issue_key"))

    op.drop_table("issue")
    op.drop_table("goal")
    with op.batch_alter_table("experiment", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_experiment_stage"))
        batch_op.drop_index(batch_op.f("ix_experiment_owner"))
        batch_op.drop_index(batch_op.f("ix_experiment_issue_id"))
        batch_op.drop_index(batch_op.f("ix_experiment_goal"))

    op.drop_table("experiment")
    op.drop_table("delivery")
