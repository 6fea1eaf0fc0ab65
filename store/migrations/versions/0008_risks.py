"""The register of risks."""

import sqlalchemy as sa
from alembic import op

import store.tables

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def _text(name: str, size: int = 0) -> "sa.Column[str]":
    return sa.Column(name, sa.String(size) if size else sa.Text(), nullable=False, server_default="")


def upgrade() -> None:
    op.create_table(
        "risk",
        sa.Column("number", sa.Integer(), nullable=False),
        _text("rule", 40),
        _text("subject", 60),
        *(_text(name) for name in ("cause", "effect", "evidence")),
        _text("owner", 80),
        _text("action"),
        sa.Column("exposure", sa.Float(), nullable=False),
        _text("review_on", 10),
        sa.Column("opened_at", store.tables.Instant(), nullable=False),
        sa.Column("seen_at", store.tables.Instant(), nullable=False),
        sa.Column("resolved_at", store.tables.Instant()),
        _text("answer", 20),
        _text("answered_by", 80),
        _text("why"),
        _text("answer_until", 10),
        sa.PrimaryKeyConstraint("number"),
    )
    op.create_index("ix_risk_resolved_at", "risk", ["resolved_at"])
    op.create_index("ix_risk_subject", "risk", ["subject"])


def downgrade() -> None:
    op.drop_table("risk")
