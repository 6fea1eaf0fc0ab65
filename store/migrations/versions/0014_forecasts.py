"""Forecasts with their outcomes."""

import sqlalchemy as sa
from alembic import op

import store.tables

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


OWN = ("subject", "metric_id", "trials", "ahead", "target")


def upgrade() -> None:
    op.create_table(
        "forecast",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("subject", sa.String(60), nullable=False, server_default=""),
        sa.Column("metric_id", sa.Integer(), nullable=False),
        sa.Column("made_at", store.tables.Instant(), nullable=False),
        sa.Column("trials", sa.Integer(), nullable=False),
        sa.Column("ahead", sa.Integer(), nullable=False),
        sa.Column("target", sa.Float(), nullable=False),
        sa.Column("better", sa.String(10), nullable=False, server_default=""),
        sa.Column("chance", sa.Float(), nullable=False),
        sa.Column("base", sa.Float(), nullable=False),
        sa.Column("hit", sa.Boolean()),
        sa.Column("settled_at", store.tables.Instant()),
        sa.PrimaryKeyConstraint("number"),
        sa.UniqueConstraint(*OWN, name=f"uq_forecast_{'_'.join(OWN)}"),
    )


def downgrade() -> None:
    op.drop_table("forecast")
