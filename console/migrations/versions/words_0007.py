"""PostgreSQL's search for words in a table of its own: what it reads is a seventh as wide as the alerts.

A search looks at thousands of alerts that lie anywhere; in the alerts' own rows, of 1.5 KB each, that is a page of the
disk for nearly every one.
"""

from __future__ import annotations

from alembic import op

revision = "0007"
down_revision = "0006"

STATEMENTS = (
    "ALTER TABLE alerts DROP COLUMN IF EXISTS search",  # its index goes with it
    "CREATE TABLE IF NOT EXISTS alerts_words (number BIGINT PRIMARY KEY, search tsvector NOT NULL)",
    "INSERT INTO alerts_words SELECT number, to_tsvector('simple', words) FROM alerts ON CONFLICT DO NOTHING",
    # Without a list of what is not sorted in yet, which every search would have to go through.
    "CREATE INDEX IF NOT EXISTS alerts_words_found ON alerts_words USING gin (search) WITH (fastupdate = off)",
    """CREATE OR REPLACE FUNCTION alerts_words_follow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        IF TG_OP = 'DELETE' THEN
            DELETE FROM alerts_words WHERE number = old.number;
        ELSE
            INSERT INTO alerts_words VALUES (new.number, to_tsvector('simple', new.words))
                ON CONFLICT (number) DO UPDATE SET search = excluded.search;
        END IF;
        RETURN NULL;
    END $$""",
    """CREATE OR REPLACE TRIGGER alerts_words_come_and_go AFTER INSERT OR DELETE ON alerts
        FOR EACH ROW EXECUTE FUNCTION alerts_words_follow()""",
    """CREATE OR REPLACE TRIGGER alerts_words_change AFTER UPDATE OF words ON alerts
        FOR EACH ROW WHEN (old.words <> new.words) EXECUTE FUNCTION alerts_words_follow()""",
)


def upgrade() -> None:
    """Make it, of what is there; once more changes nothing."""
    if op.get_bind().dialect.name == "postgresql":
        for statement in STATEMENTS:
            op.execute(statement)
