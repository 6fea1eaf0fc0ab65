"""Quantiles and windows of metrics, and what is left of old readings."""

import sqlalchemy as sa
from alembic import op

import store.tables

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("metric", sa.Column("quantile", sa.Float()))
    op.add_column("metric", sa.Column("window", sa.String(20), nullable=False, server_default=""))
    op.add_column("series", sa.Column("hours_until", store.tables.Instant()))
    op.add_column("series", sa.Column("days_until", store.tables.Instant()))
    op.create_table(
        "rollup",
        sa.Column("series_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("span", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("at", store.tables.Instant(), nullable=False),
        sa.Column("last_at", store.tables.Instant(), nullable=False),
        sa.Column("last_step", sa.BigInteger(), nullable=False),
        sa.Column("last", sa.Float()),
        sa.Column("low", sa.Float()),
        sa.Column("high", sa.Float()),
        sa.Column("total", sa.Float(), nullable=False),
        sa.Column("finite", sa.Integer(), nullable=False),
        sa.Column("failed", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("series_id", "span", "at"),
        sqlite_with_rowid=False,
    )


def downgrade() -> None:
    op.drop_table("rollup")
    for table, name in (
        ("series", "days_until"),
        ("series", "hours_until"),
        ("metric", "window"),
        ("metric", "quantile"),
    ):
        op.drop_column(table, name)
