"""Which of procrastinate's migrations the database has; see `store.shared_queue`."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    op.create_table(
        "queue_migration", sa.Column("name", sa.String(length=120), nullable=False), sa.PrimaryKeyConstraint("name")
    )


def downgrade() -> None:
    op.drop_table("queue_migration")
