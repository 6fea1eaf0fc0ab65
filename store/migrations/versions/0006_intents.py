"""Writes to Jira that are under way; epics of goals and issues."""

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
    op.add_column("issue", sa.Column("parent_key", sa.String(80), nullable=False, server_default=""))
    op.add_column("goal", sa.Column("epic_id", sa.String(40), nullable=False, server_default=""))
    op.add_column("goal", sa.Column("epic_key", sa.String(80), nullable=False, server_default=""))


def downgrade() -> None:
    for name in ("epic_key", "epic_id"):
        op.drop_column("goal", name)
    op.drop_column("issue", "parent_key")
    op.drop_table("intent")
