"""Notifications, and accounts that come by OpenID Connect."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """What is to be told, what was told or why not, and whose account is whose at the provider."""
    op.create_table(
        "notices",
        sa.Column("number", NUMBER, primary_key=True, autoincrement=True),
        sa.Column("alert", sa.String(200), nullable=False),
        sa.Column("event", sa.String(16), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "notifications",
        sa.Column("number", NUMBER, primary_key=True, autoincrement=True),
        sa.Column("channel", sa.String(64), nullable=False),
        sa.Column("route", sa.Integer(), nullable=False),
        sa.Column("event", sa.String(16), nullable=False),
        sa.Column("alert", sa.String(200), nullable=False),
        sa.Column("camera", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("reason", sa.String(16), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("due_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("done_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("digest", sa.Integer(), nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("notifications_waiting", "notifications", ["status", "channel", "due_at_ms"])
    op.create_index("notifications_by_alert", "notifications", ["alert"])
    op.create_table(
        "notify_state",
        sa.Column("name", sa.String(16), primary_key=True),
        sa.Column("body", sa.Text(), nullable=False),
    )
    op.add_column("users", sa.Column("subject", sa.Text(), nullable=False, server_default=""))
    op.create_index("users_by_subject", "users", ["subject"])
