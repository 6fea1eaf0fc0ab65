"""An index for the page of a goal's experiments in one stage, in the order of their numbers."""

from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_experiment_goal_stage", "experiment", ["goal", "stage"])


def downgrade() -> None:
    op.drop_index("ix_experiment_goal_stage", "experiment")
