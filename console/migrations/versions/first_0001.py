"""The first tables."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

SEARCH_SQLITE = (
    """CREATE VIRTUAL TABLE alerts_words USING fts5(
        words, content='alerts', content_rowid='number', tokenize='unicode61 remove_diacritics 0'
    )""",
    """CREATE TRIGGER alerts_words_insert AFTER INSERT ON alerts BEGIN
        INSERT INTO alerts_words(rowid, words) VALUES (new.number, new.words);
    END""",
    """CREATE TRIGGER alerts_words_delete AFTER DELETE ON alerts BEGIN
        INSERT INTO alerts_words(alerts_words, rowid, words) VALUES ('delete', old.number, old.words);
    END""",
    """CREATE TRIGGER alerts_words_update AFTER UPDATE OF words ON alerts WHEN old.words <> new.words BEGIN
        INSERT INTO alerts_words(alerts_words, rowid, words) VALUES ('delete', old.number, old.words);
        INSERT INTO alerts_words(rowid, words) VALUES (new.number, new.words);
    END""",
    """CREATE TRIGGER audit_stays BEFORE UPDATE ON audit BEGIN SELECT RAISE(ABORT, 'the audit is append-only'); END""",
    """CREATE TRIGGER audit_remains BEFORE DELETE ON audit BEGIN
        SELECT RAISE(ABORT, 'the audit is append-only');
    END""",
)

SEARCH_POSTGRESQL = (
    """ALTER TABLE alerts ADD COLUMN search tsvector GENERATED ALWAYS AS (to_tsvector('simple', words)) STORED""",
    """CREATE INDEX alerts_by_words ON alerts USING gin (search)""",
    """CREATE FUNCTION audit_is_append_only() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN RAISE EXCEPTION 'the audit is append-only'; END $$""",
    """CREATE TRIGGER audit_stays BEFORE UPDATE OR DELETE OR TRUNCATE ON audit
        FOR EACH STATEMENT EXECUTE FUNCTION audit_is_append_only()""",
)


def upgrade() -> None:
    """Make them, with what SQLAlchemy has no words for: the search for words, and an audit that only grows."""
    op.create_table(
        "alerts",
        sa.Column("number", NUMBER, autoincrement=True, nullable=False),
        sa.Column("id", sa.String(length=200), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("site", sa.Text(), nullable=False),
        sa.Column("camera", sa.Integer(), nullable=False),
        sa.Column("zone", sa.Integer(), nullable=False),
        sa.Column("rule", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Integer(), nullable=False),
        sa.Column("label", sa.Integer(), nullable=False),
        sa.Column("severity", sa.SmallInteger(), nullable=False),
        sa.Column("status", sa.SmallInteger(), nullable=False),
        sa.Column("verdict", sa.SmallInteger(), nullable=False),
        sa.Column("started_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("ended_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("received_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("acknowledged_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("acknowledged_by", sa.Text(), nullable=False),
        sa.Column("escalated_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("assigned_to", sa.Text(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("score", sa.Float(), nullable=False),
        sa.Column("late", sa.Boolean(), nullable=False),
        sa.Column("picture", sa.Boolean(), nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("number"),
        sa.UniqueConstraint("id"),
    )
    op.create_index("alerts_by_arrival", "alerts", ["received_at_ms", "acknowledged_at_ms"], unique=False)
    op.create_index(
        "alerts_by_camera",
        "alerts",
        ["camera", "severity", "started_at_ms", "number", "zone", "rule", "kind", "label", "status", "verdict"],
        unique=False,
    )
    op.create_index(
        "alerts_by_kind",
        "alerts",
        ["kind", "severity", "started_at_ms", "number", "camera", "zone", "rule", "label", "status", "verdict"],
        unique=False,
    )
    op.create_index(
        "alerts_by_label",
        "alerts",
        ["label", "severity", "started_at_ms", "number", "camera", "zone", "rule", "kind", "status", "verdict"],
        unique=False,
    )
    op.create_index(
        "alerts_by_order",
        "alerts",
        ["severity", "started_at_ms", "number", "camera", "zone", "rule", "kind", "label", "status", "verdict"],
        unique=False,
    )
    op.create_index(
        "alerts_by_rule",
        "alerts",
        ["rule", "severity", "started_at_ms", "number", "camera", "zone", "kind", "label", "status", "verdict"],
        unique=False,
    )
    op.create_index("alerts_by_start", "alerts", ["started_at_ms"], unique=False)
    op.create_index(
        "alerts_by_status",
        "alerts",
        ["status", "severity", "started_at_ms", "number", "camera", "zone", "rule", "kind", "label", "verdict"],
        unique=False,
    )
    op.create_index(
        "alerts_by_verdict",
        "alerts",
        ["verdict", "severity", "started_at_ms", "number", "camera", "zone", "rule", "kind", "label", "status"],
        unique=False,
    )
    op.create_index(
        "alerts_by_zone",
        "alerts",
        ["zone", "severity", "started_at_ms", "number", "camera", "rule", "kind", "label", "status", "verdict"],
        unique=False,
    )
    op.create_index(
        "alerts_waiting",
        "alerts",
        ["severity", "received_at_ms"],
        unique=False,
        sqlite_where=sa.text("status = 0 AND escalated_at_ms = 0"),
        postgresql_where=sa.text("status = 0 AND escalated_at_ms = 0"),
    )
    op.create_table(
        "audit",
        sa.Column("number", NUMBER, autoincrement=False, nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("action", sa.String(length=64), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("details", sa.Text(), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("number"),
    )
    op.create_index(op.f("ix_audit_at_ms"), "audit", ["at_ms"], unique=False)
    op.create_table(
        "invitations",
        sa.Column("secret", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("cameras", sa.Text(), nullable=False),
        sa.Column("expires_at_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("secret"),
    )
    op.create_table(
        "names",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("number"),
        sa.UniqueConstraint("name"),
    )
    op.create_table(
        "objects",
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("camera", sa.String(length=200), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("kind", "camera", "name", "version"),
    )
    op.create_table(
        "offsets",
        sa.Column("cluster", sa.String(length=200), nullable=False),
        sa.Column("topic", sa.String(length=250), nullable=False),
        sa.Column("partition", sa.Integer(), nullable=False),
        sa.Column("next", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("cluster", "topic", "partition"),
    )
    op.create_table(
        "outbox",
        sa.Column("number", NUMBER, autoincrement=True, nullable=False),
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("number"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "snoozes",
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("camera", sa.Text(), nullable=False),
        sa.Column("until_ms", sa.BigInteger(), nullable=False),
        sa.Column("operator", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("rule", "camera"),
    )
    op.create_table(
        "users",
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("cameras", sa.Text(), nullable=False),
        sa.Column("password", sa.Text(), nullable=False),
        sa.Column("disabled", sa.Boolean(), nullable=False),
        sa.Column("created_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("locked_until_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "answers",
        sa.Column("number", NUMBER, autoincrement=True, nullable=False),
        sa.Column("id", sa.String(length=200), nullable=False),
        sa.Column("alert", NUMBER, nullable=False),
        sa.Column("operator", sa.Text(), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("action", sa.String(length=16), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["alert"], ["alerts.number"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("number"),
        sa.UniqueConstraint("id"),
    )
    op.create_index(op.f("ix_answers_alert"), "answers", ["alert"], unique=False)
    op.create_index(op.f("ix_answers_at_ms"), "answers", ["at_ms"], unique=False)
    op.create_table(
        "revisions",
        sa.Column("alert", NUMBER, nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("at_ms", sa.BigInteger(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["alert"], ["alerts.number"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("alert", "revision"),
    )
    op.create_table(
        "sessions",
        sa.Column("secret", sa.String(length=64), nullable=False),
        sa.Column("user", sa.String(length=200), nullable=False),
        sa.Column("csrf", sa.String(length=64), nullable=False),
        sa.Column("created_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("expires_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["user"], ["users.name"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("secret"),
    )
    op.create_index(op.f("ix_sessions_user"), "sessions", ["user"], unique=False)
    op.create_table(
        "tokens",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("secret", sa.String(length=64), nullable=False),
        sa.Column("user", sa.String(length=200), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("scopes", sa.Text(), nullable=False),
        sa.Column("created_at_ms", sa.BigInteger(), nullable=False),
        sa.Column("expires_at_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["user"], ["users.name"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("secret"),
    )
    op.create_index(op.f("ix_tokens_user"), "tokens", ["user"], unique=False)
    for statement in SEARCH_SQLITE if op.get_bind().dialect.name == "sqlite" else SEARCH_POSTGRESQL:
        op.execute(statement)
