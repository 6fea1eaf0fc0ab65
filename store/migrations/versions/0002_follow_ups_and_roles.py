"""Follow-ups, priorities, reason codes, evidence of decisions, ages, and the user groups of roles."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

TEXTS = {"parent": 20, "blocked_until": 10, "decision_evidence": 0}
SCORES = ("learning_value", "impact", "confidence", "effort")
INDEXES = {"experiment": (("issue_key",), ("parent",), ("decided_at",)), "timeline": (("who", "id"),)}


def upgrade() -> None:
    for name, size in TEXTS.items():
        kind = sa.String(size) if size else sa.Text()
        op.add_column("experiment", sa.Column(name, kind, nullable=False, server_default=""))
    for name in SCORES:
        op.add_column("experiment", sa.Column(name, sa.Integer()))
    op.add_column("experiment", sa.Column("nudged", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("experiment", sa.Column("reason_code", sa.String(20)))
    for table, indexes in INDEXES.items():
        for columns in indexes:
            op.create_index(f"ix_{table}_{'_'.join(columns)}", table, list(columns))
    op.create_table(
        "group_member",
        sa.Column("group", sa.String(length=40), nullable=False),
        sa.Column("person", sa.String(length=80), nullable=False),
        sa.PrimaryKeyConstraint("group", "person"),
    )


def downgrade() -> None:
    op.drop_table("group_member")
    for table, indexes in INDEXES.items():
        for columns in indexes:
            op.drop_index(f"ix_{table}_{'_'.join(columns)}", table)
    for name in (*TEXTS, *SCORES, "nudged", "reason_code"):
        op.drop_column("experiment", name)
