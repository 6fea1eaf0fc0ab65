"""Workspaces that installed the app through Slack."""

import sqlalchemy as sa
from alembic import op

import store.tables

revision = "0017"
down_revision = "0016"


def _text(name: str, size: int = 0) -> "sa.Column[str]":
    return sa.Column(name, sa.String(size) if size else sa.Text(), nullable=False, server_default="")


def upgrade() -> None:
    op.create_table(
        "installation",
        sa.Column("id", sa.String(length=40), nullable=False),
        _text("team", 40),
        _text("enterprise", 40),
        _text("name", 200),
        _text("bot_user", 40),
        _text("scopes"),
        _text("installed_by", 80),
        sa.Column("installed_at", store.tables.Instant(), nullable=False),
        sa.Column("gone_at", store.tables.Instant()),
        _text("token"),
        _text("refresh"),
        sa.Column("expires_at", store.tables.Instant()),
        sa.Column("renewing_until", store.tables.Instant()),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("ix_installation_enterprise", "installation", ["enterprise"])


def downgrade() -> None:
    op.drop_table("installation")
