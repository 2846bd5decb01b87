"""The tables, as the newest migration leaves them (`console/migrations`; a test holds the two against each other).

Names (cameras, zones, rules, kinds, labels) stand in `alerts` as numbers of `names`: what filters look at is then a few
bytes wide, and each index holds all of it, so that no filter has to touch the rows that it passes over.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
    text,
)

metadata = MetaData()

# SQLite counts rows up only in a column that is exactly INTEGER.
Number = BigInteger().with_variant(Integer, "sqlite")

DIMENSIONS = ("camera", "zone", "rule", "kind", "label", "status", "verdict")
"""What alerts are filtered by beside severity, time and text; each has an index."""

names = Table(
    "names",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
)

alerts = Table(
    "alerts",
    metadata,
    Column("number", Number, primary_key=True, autoincrement=True),
    Column("id", String(200), nullable=False, unique=True),
    Column("revision", Integer, nullable=False),
    Column("state", String(8), nullable=False),
    Column("site", Text, nullable=False),
    Column("camera", Integer, nullable=False),
    Column("zone", Integer, nullable=False),
    Column("rule", Integer, nullable=False),
    Column("kind", Integer, nullable=False),
    Column("label", Integer, nullable=False),
    Column("severity", SmallInteger, nullable=False),
    Column("status", SmallInteger, nullable=False),
    Column("verdict", SmallInteger, nullable=False),
    Column("started_at_ms", BigInteger, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("ended_at_ms", BigInteger, nullable=False),
    Column("received_at_ms", BigInteger, nullable=False),
    Column("acknowledged_at_ms", BigInteger, nullable=False),
    Column("acknowledged_by", Text, nullable=False),
    Column("escalated_at_ms", BigInteger, nullable=False),
    Column("assigned_to", Text, nullable=False),
    Column("why", Text, nullable=False),
    Column("score", Float, nullable=False),
    Column("late", Boolean, nullable=False),
    Column("picture", Boolean, nullable=False),
    Column("words", Text, nullable=False),
    Column("body", Text, nullable=False),
)

_ORDER = ("severity", "started_at_ms", "number")
Index("alerts_by_order", *(alerts.c[name] for name in (*_ORDER, *DIMENSIONS)))
for _dimension in DIMENSIONS:
    _others = (name for name in DIMENSIONS if name != _dimension)
    Index(f"alerts_by_{_dimension}", *(alerts.c[name] for name in (_dimension, *_ORDER, *_others)))
Index(
    "alerts_waiting",
    alerts.c.severity,
    alerts.c.received_at_ms,
    sqlite_where=text("status = 0 AND escalated_at_ms = 0"),
    postgresql_where=text("status = 0 AND escalated_at_ms = 0"),
)
Index("alerts_by_arrival", alerts.c.received_at_ms, alerts.c.acknowledged_at_ms)
Index("alerts_by_start", alerts.c.started_at_ms)

revisions = Table(
    "revisions",
    metadata,
    Column("alert", Number, ForeignKey("alerts.number", ondelete="CASCADE"), primary_key=True),
    Column("revision", Integer, primary_key=True),
    Column("state", String(8), nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("why", Text, nullable=False),
)

answers = Table(
    "answers",
    metadata,
    Column("number", Number, primary_key=True, autoincrement=True),
    Column("id", String(200), nullable=False, unique=True),
    Column("alert", Number, ForeignKey("alerts.number", ondelete="CASCADE"), nullable=False, index=True),
    Column("operator", Text, nullable=False),
    Column("at_ms", BigInteger, nullable=False, index=True),
    Column("action", String(16), nullable=False),
    Column("body", Text, nullable=False),
)

snoozes = Table(
    "snoozes",
    metadata,
    Column("rule", Text, primary_key=True),
    Column("camera", Text, primary_key=True),
    Column("until_ms", BigInteger, nullable=False),
    Column("operator", Text, nullable=False),
)

holds = Table(
    "holds",
    metadata,
    Column("alert", Number, ForeignKey("alerts.number", ondelete="CASCADE"), primary_key=True),
    Column("case", String(200), primary_key=True),
    Column("at_ms", BigInteger, nullable=False),
    Column("operator", Text, nullable=False),
)

suppressions = Table(
    "suppressions",
    metadata,
    Column("number", Number, primary_key=True, autoincrement=True),
    Column("id", String(200), nullable=False, unique=True),
    Column("alert", Number, ForeignKey("alerts.number", ondelete="CASCADE"), nullable=False, index=True),
    Column("camera", String(200), nullable=False, index=True),
    Column("verdict", String(16), nullable=False),
    Column("operator", Text, nullable=False),
    Column("made_at_ms", BigInteger, nullable=False),
    Column("until_ms", BigInteger, nullable=False),
    Column("ended_at_ms", BigInteger, nullable=False),  # 0: it runs until its time is over
    Column("ended_by", Text, nullable=False),
    Column("body", Text, nullable=False),  # JSON: what the jobs are told
)

outbox = Table(
    "outbox",
    metadata,
    Column("number", Number, primary_key=True, autoincrement=True),
    Column("topic", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("value", Text, nullable=False),  # base64: controls are msgpack
    sqlite_autoincrement=True,
)

offsets = Table(
    "offsets",
    metadata,
    Column("cluster", String(200), primary_key=True),
    Column("topic", String(250), primary_key=True),
    Column("partition", Integer, primary_key=True),
    Column("next", BigInteger, nullable=False),
)

users = Table(
    "users",
    metadata,
    Column("name", String(200), primary_key=True),
    Column("role", String(16), nullable=False),
    Column("cameras", Text, nullable=False),  # JSON: null for all, else a list
    Column("password", Text, nullable=False),
    Column("disabled", Boolean, nullable=False),
    Column("created_at_ms", BigInteger, nullable=False),
    Column("failures", Integer, nullable=False),
    Column("locked_until_ms", BigInteger, nullable=False),
    Column("subject", Text, nullable=False, server_default=""),  # issuer and sub of who comes by OpenID Connect
)
Index("users_by_subject", users.c.subject)

invitations = Table(
    "invitations",
    metadata,
    Column("secret", String(64), primary_key=True),  # SHA-256 of what stands in the link
    Column("name", String(200), nullable=False),  # "" for the first administrator, who chooses
    Column("role", String(16), nullable=False),
    Column("cameras", Text, nullable=False),
    Column("expires_at_ms", BigInteger, nullable=False),
)

sessions = Table(
    "sessions",
    metadata,
    Column("secret", String(64), primary_key=True),  # SHA-256 of the cookie
    Column("user", String(200), ForeignKey("users.name", ondelete="CASCADE"), nullable=False, index=True),
    Column("csrf", String(64), nullable=False),
    Column("created_at_ms", BigInteger, nullable=False),
    Column("expires_at_ms", BigInteger, nullable=False),
    Column("address", Text, nullable=False),
)

tokens = Table(
    "tokens",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("secret", String(64), nullable=False, unique=True),
    Column("user", String(200), ForeignKey("users.name", ondelete="CASCADE"), nullable=False, index=True),
    Column("title", Text, nullable=False),
    Column("scopes", Text, nullable=False),  # JSON list
    Column("created_at_ms", BigInteger, nullable=False),
    Column("expires_at_ms", BigInteger, nullable=False),
)

audit = Table(
    "audit",
    metadata,
    Column("number", Number, primary_key=True, autoincrement=False),
    Column("at_ms", BigInteger, nullable=False, index=True),
    Column("who", Text, nullable=False),
    Column("action", String(64), nullable=False),
    Column("subject", Text, nullable=False),
    Column("details", Text, nullable=False),
    Column("hash", String(64), nullable=False),
)

agents = Table(
    "agents",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("certificate", Text, nullable=False),  # PEM: the one in use
    Column("enrolled_at_ms", BigInteger, nullable=False),
    Column("renewed_at_ms", BigInteger, nullable=False),
    Column("expires_at_ms", BigInteger, nullable=False),
    Column("revoked_at_ms", BigInteger, nullable=False),  # 0: it may renew
    Column("address", Text, nullable=False),
    Column("version", Text, nullable=False),
)

agent_tokens = Table(
    "agent_tokens",
    metadata,
    Column("secret", String(64), primary_key=True),  # SHA-256 of what the agent says
    Column("agent", String(64), nullable=False),
    Column("expires_at_ms", BigInteger, nullable=False),
)

objects = Table(
    "objects",
    metadata,
    Column("kind", String(16), primary_key=True),
    Column("camera", String(200), primary_key=True),
    Column("name", String(200), primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("at_ms", BigInteger, nullable=False),
    Column("who", Text, nullable=False),
    Column("note", Text, nullable=False),
    Column("body", Text),  # JSON; null: removed
)

notices = Table(
    "notices",
    metadata,
    Column("number", Number, primary_key=True, autoincrement=True),
    Column("alert", String(200), nullable=False),
    Column("event", String(16), nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    sqlite_autoincrement=True,
)

notifications = Table(
    "notifications",
    metadata,
    Column("number", Number, primary_key=True, autoincrement=True),
    Column("channel", String(64), nullable=False),  # "" where no channel was chosen
    Column("route", Integer, nullable=False),
    Column("event", String(16), nullable=False),
    Column("alert", String(200), nullable=False),  # "" for a test
    Column("camera", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("status", String(16), nullable=False),
    Column("reason", String(16), nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("due_at_ms", BigInteger, nullable=False),
    Column("done_at_ms", BigInteger, nullable=False),
    Column("tries", Integer, nullable=False),
    Column("error", Text, nullable=False),
    Column("digest", Integer, nullable=False),  # how many messages became the one that was sent; 0: it was alone
    sqlite_autoincrement=True,
)
Index("notifications_waiting", notifications.c.status, notifications.c.channel, notifications.c.due_at_ms)
Index("notifications_by_alert", notifications.c.alert)

notify_state = Table(
    "notify_state",
    metadata,
    Column("name", String(16), primary_key=True),
    Column("body", Text, nullable=False),
)

people = Table(
    "people",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("name", Text, nullable=False),  # plain, to be searched by; it goes with the row
    Column("group", String(100), nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("created_at_ms", BigInteger, nullable=False),
    Column("created_by", Text, nullable=False),
)

faces = Table(
    "faces",
    metadata,
    Column("number", Number, primary_key=True, autoincrement=True),  # never given twice
    Column("id", String(36), nullable=False, unique=True),
    Column("person", String(36), ForeignKey("people.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("model", Text, nullable=False),
    Column("sealed", LargeBinary, nullable=False),  # vector and picture, under the person's key
    Column("strength", Float, nullable=False),
    Column("source", Text, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("who", Text, nullable=False),
    sqlite_autoincrement=True,
)

denials = Table(
    "denials",
    metadata,
    Column("number", Number, primary_key=True, autoincrement=True),
    Column("id", String(36), nullable=False, unique=True),
    Column("person", String(36), ForeignKey("people.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("model", Text, nullable=False),
    Column("sealed", LargeBinary, nullable=False),  # the vector that is not this person, under the person's key
    Column("alert", String(200), nullable=False),
    Column("camera", Text, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("who", Text, nullable=False),
    sqlite_autoincrement=True,
)

keys = Table(
    "keys",
    metadata,
    Column("name", String(300), primary_key=True),  # person/<id>, day/<site>/<day>
    Column("wrapped", LargeBinary, nullable=False),  # under the master key
)

alert_people = Table(
    "alert_people",
    metadata,
    Column("person", String(200), primary_key=True),
    Column("alert", Number, ForeignKey("alerts.number", ondelete="CASCADE"), primary_key=True, index=True),
)
