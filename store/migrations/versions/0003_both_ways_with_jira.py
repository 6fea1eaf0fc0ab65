"""What Jira and the backlog share, what each was when they last agreed, and the writes that were spent on it."""

import sqlalchemy as sa
from alembic import op

import store.tables

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for table in ("experiment", "issue"):
        op.add_column(table, sa.Column("labels", store.tables.Json(), nullable=False, server_default="[]"))
    op.add_column("experiment", sa.Column("jira_priority", sa.String(80), nullable=False, server_default=""))
    op.add_column("issue", sa.Column("priority", sa.String(80), nullable=False, server_default=""))
    op.add_column("issue", sa.Column("assignee_id", sa.String(160), nullable=False, server_default=""))
    op.add_column("issue", sa.Column("unreachable_since", store.tables.Instant()))
    op.create_table(
        "agreed",
        sa.Column("issue_id", sa.String(length=40), nullable=False),
        sa.Column("field", sa.String(length=40), nullable=False),
        sa.Column("ours", store.tables.Json()),
        sa.Column("theirs", store.tables.Json()),
        sa.PrimaryKeyConstraint("issue_id", "field"),
    )
    op.create_table(
        "jira_write",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("issue_id", sa.String(length=40), nullable=False),
        sa.Column("at", store.tables.Instant(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_jira_write_issue_id_at", "jira_write", ["issue_id", "at"])


def downgrade() -> None:
    op.drop_table("jira_write")
    op.drop_table("agreed")
    for name in ("labels", "priority", "assignee_id", "unreachable_since"):
        op.drop_column("issue", name)
    for name in ("labels", "jira_priority"):
        op.drop_column("experiment", name)
