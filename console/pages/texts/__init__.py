"""Every text that the pages show, in one place: a translation is another package with the same names and keys."""

from __future__ import annotations

from console.pages.texts.agents import AGENTS
from console.pages.texts.alerts import ALERTS
from console.pages.texts.audit import AUDIT, AUDIT_ACTIONS
from console.pages.texts.budget import BUDGET, BUDGETING
from console.pages.texts.common import COMMON, SHELL, SIGN_IN
from console.pages.texts.forms import MISSING
from console.pages.texts.history import ANALYTICS, SEARCH
from console.pages.texts.models import MODELS
from console.pages.texts.notify import MESSAGES, NOTIFICATIONS, ROUTING
from console.pages.texts.others import ACCOUNTS, HANDOVER, HEALTH, LIVE, OWN
from console.pages.texts.people import IDENTITY, PEOPLE
from console.pages.texts.setup import SETUP

__all__ = [
    "ACCOUNTS",
    "AGENTS",
    "ALERTS",
    "ANALYTICS",
    "AUDIT",
    "AUDIT_ACTIONS",
    "BUDGET",
    "BUDGETING",
    "COMMON",
    "HANDOVER",
    "HEALTH",
    "IDENTITY",
    "LIVE",
    "MESSAGES",
    "MISSING",
    "MODELS",
    "NOTIFICATIONS",
    "OWN",
    "PEOPLE",
    "ROUTING",
    "SEARCH",
    "SETUP",
    "SHELL",
    "SIGN_IN",
]
