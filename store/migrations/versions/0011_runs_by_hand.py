"""Runs that people give to experiments."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "run_link",
        sa.Column("source", sa.String(80), nullable=False),
        sa.Column("run", sa.String(250), nullable=False),
        sa.Column("experiment", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("source", "run"),
    )


def downgrade() -> None:
    op.drop_table("run_link")
