"""Indexes that answer by themselves what every look at one experiment asks."""

from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

WIDER = {
    "ix_experiment_goal": ["goal", "kind", "stage", "parked_since"],
    "ix_experiment_owner": ["owner", "stage", "parked_since"],
    "ix_experiment_decided_at": ["decided_at", "running_since"],
}


def upgrade() -> None:
    for narrow, columns in WIDER.items():
        op.drop_index(narrow, "experiment")
        op.create_index(f"ix_experiment_{'_'.join(columns)}", "experiment", columns)


def downgrade() -> None:
    for narrow, columns in WIDER.items():
        op.drop_index(f"ix_experiment_{'_'.join(columns)}", "experiment")
        op.create_index(narrow, "experiment", columns[:1])
