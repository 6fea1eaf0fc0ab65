"""Who hears of what, what people and channels set for themselves, and reminders of waiting decisions."""

import sqlalchemy as sa
from alembic import op

import store.tables

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "subscription",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("person", sa.String(length=80), server_default="", nullable=False),
        sa.Column("created_at", store.tables.Instant(), nullable=False),
        sa.Column("channel", sa.String(length=80), server_default="", nullable=False),
        sa.Column("goal", sa.String(length=40), server_default="", nullable=False),
        sa.Column("experiment", sa.String(length=20), server_default="", nullable=False),
        sa.Column("events", store.tables.Json(), nullable=False),
        sa.Column("digest", sa.String(length=120), server_default="", nullable=False),
        sa.Column("told", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint(
            "person", "channel", "goal", "experiment", name="uq_subscription_person_channel_goal_experiment"
        ),
    )
    op.create_table(
        "preference",
        sa.Column("subject", sa.String(length=80), nullable=False),
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("value", sa.String(length=200), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("subject", "name"),
    )
    op.create_table(
        "reminder",
        sa.Column("person", sa.String(length=80), nullable=False),
        sa.Column("experiment", sa.String(length=20), nullable=False),
        sa.Column("at", store.tables.Instant(), nullable=True),
        sa.Column("snoozed_until", store.tables.Instant(), nullable=True),
        sa.PrimaryKeyConstraint("person", "experiment"),
    )


def downgrade() -> None:
    for table in ("reminder", "preference", "subscription"):
        op.drop_table(table)
