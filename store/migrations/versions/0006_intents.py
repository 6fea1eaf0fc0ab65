"""Writes to Jira that are under way."""

import sqlalchemy as sa
from alembic import op

import store.tables

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "intent",
        sa.Column("issue_id", sa.String(length=40), nullable=False),
        sa.Column("mark", sa.BigInteger(), nullable=False),
        sa.Column("sent", store.tables.Json(), nullable=False),
        sa.Column("block", sa.Boolean(), nullable=False),
        sa.Column("told", store.tables.Json(), nullable=False),
        sa.PrimaryKeyConstraint("issue_id"),
    )


def downgrade() -> None:
    op.drop_table("intent")
