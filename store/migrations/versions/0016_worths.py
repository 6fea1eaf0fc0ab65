"""What each series is worth, so that judging costs by what is new; filled by the next poll and the next look."""

import sqlalchemy as sa
from alembic import op

import store.tables

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    op.create_table(
        "worth",
        sa.Column("series_id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("last_at", store.tables.Instant(), nullable=False),
        sa.Column("last_step", sa.BigInteger(), nullable=False),
        sa.Column("total", sa.Float(), nullable=False),
        sa.Column("finite", sa.Integer(), nullable=False),
        sa.Column("value", sa.Float()),
        sa.PrimaryKeyConstraint("series_id"),
    )


def downgrade() -> None:
    op.drop_table("worth")
