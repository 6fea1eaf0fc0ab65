"""The newest comments of people on the issues of experiments."""

import sqlalchemy as sa
from alembic import op

import store.tables

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    op.create_table(
        "issue_comment",
        sa.Column("issue_id", sa.String(length=40), nullable=False),
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("at", store.tables.Instant(), nullable=False),
        sa.Column("author", sa.String(length=200), nullable=False, server_default=""),
        sa.Column("text", sa.Text(), nullable=False, server_default=""),
        sa.PrimaryKeyConstraint("issue_id", "id"),
    )


def downgrade() -> None:
    op.drop_table("issue_comment")
