"""The key of links, what readers think of reports, and addresses that want none."""

import sqlalchemy as sa
from alembic import op

import store.tables

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def _text(name: str, size: int = 0) -> "sa.Column[str]":
    return sa.Column(name, sa.String(size) if size else sa.Text(), nullable=False, server_default="")


def upgrade() -> None:
    op.create_table(
        "own_secret",
        sa.Column("name", sa.String(length=40), nullable=False),
        _text("value"),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "feedback",
        sa.Column("report_id", sa.String(length=160), nullable=False),
        sa.Column("section", sa.String(length=80), nullable=False),
        sa.Column("person", sa.String(length=80), nullable=False),
        _text("verdict", 20),
        sa.Column("at", store.tables.Instant(), nullable=False),
        sa.PrimaryKeyConstraint("report_id", "section", "person"),
    )
    op.create_table(
        "mail_address",
        sa.Column("address", sa.String(length=254), nullable=False),
        sa.Column("left_at", store.tables.Instant()),
        sa.Column("bounced_at", store.tables.Instant()),
        _text("reason"),
        sa.PrimaryKeyConstraint("address"),
    )


def downgrade() -> None:
    for name in ("mail_address", "feedback", "own_secret"):
        op.drop_table(name)
