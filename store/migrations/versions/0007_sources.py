"""How often a metric is read, and what a run was evaluated on."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("metric", sa.Column("every", sa.String(20), nullable=False, server_default=""))
    op.add_column("series", sa.Column("eval_set", sa.String(120), nullable=False, server_default=""))


def downgrade() -> None:
    op.drop_column("series", "eval_set")
    op.drop_column("metric", "every")
