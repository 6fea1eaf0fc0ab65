"""Reports scheduled in the chat, pauses, where each report went, and what its reviewer said."""

import sqlalchemy as sa
from alembic import op

import store.tables

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def _text(name: str, size: int = 0) -> "sa.Column[str]":
    return sa.Column(name, sa.String(size) if size else sa.Text(), nullable=False, server_default="")


def upgrade() -> None:
    op.create_table(
        "report_schedule",
        sa.Column("number", sa.Integer(), nullable=False),
        *(_text(name, size) for name, size in (("report", 60), ("audience", 60), ("cadence", 80), ("channel", 80))),
        sa.Column("emails", store.tables.Json(), nullable=False),
        _text("reviewer", 80),
        sa.Column("preview_hours", sa.Integer(), nullable=False),
        _text("made_by", 80),
        sa.Column("made_at", store.tables.Instant(), nullable=False),
        sa.PrimaryKeyConstraint("number"),
        sa.UniqueConstraint("report", "audience", "channel", name="uq_report_schedule_report_audience_channel"),
    )
    op.create_table(
        "pause",
        sa.Column("what", sa.String(length=160), nullable=False),
        _text("until", 10),
        _text("who", 80),
        sa.Column("at", store.tables.Instant(), nullable=False),
        sa.PrimaryKeyConstraint("what"),
    )
    op.create_table(
        "report_sent",
        sa.Column("report_id", sa.String(length=160), nullable=False),
        sa.Column("place", sa.String(length=250), nullable=False),
        sa.Column("at", store.tables.Instant(), nullable=False),
        sa.PrimaryKeyConstraint("report_id", "place"),
    )
    op.create_table(
        "report_review",
        sa.Column("report_id", sa.String(length=160), nullable=False),
        _text("line"),
        _text("line_by", 80),
        _text("verdict", 20),
        _text("verdict_by", 80),
        sa.PrimaryKeyConstraint("report_id"),
    )
    # Reports of before went to their channel already.
    op.execute(
        "INSERT INTO report_sent (report_id, place, at) SELECT r.id, m.channel, r.made_at FROM report r "
        "JOIN message m ON m.name = 'slack:report:' || r.id"
    )


def downgrade() -> None:
    for name in ("report_review", "report_sent", "pause", "report_schedule"):
        op.drop_table(name)
