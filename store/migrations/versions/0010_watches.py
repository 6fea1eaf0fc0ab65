"""Watches on metrics."""

import sqlalchemy as sa
from alembic import op

import store.tables

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def _text(name: str, size: int) -> "sa.Column[str]":
    return sa.Column(name, sa.String(size), nullable=False, server_default="")


def upgrade() -> None:
    op.create_table(
        "watch",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("metric_id", sa.Integer(), nullable=False),
        *(_text(name, size) for name, size in (("goal", 40), ("name", 80), ("environment", 40), ("side", 10))),
        sa.Column("bound", sa.Float(), nullable=False),
        sa.Column("needed", sa.Integer(), nullable=False),
        sa.Column("recover", sa.Float(), nullable=False),
        _text("made_by", 80),
        sa.Column("since", store.tables.Instant(), nullable=False),
        sa.Column("fired", sa.Boolean(), nullable=False),
        sa.Column("silent", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("number"),
        sa.UniqueConstraint("metric_id", "side", name="uq_watch_metric_id_side"),
    )


def downgrade() -> None:
    op.drop_table("watch")
