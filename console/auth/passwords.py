"""Passwords as Argon2id hashes, and which are good enough."""

from __future__ import annotations

import threading

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

MIN_LENGTH = 12
MAX_LENGTH = 500

AT_ONCE = 2
"""Each check takes 64 MiB for some 50 ms: a flood of logins waits here instead of filling the memory."""

_hasher = PasswordHasher()
_turn = threading.BoundedSemaphore(AT_ONCE)


def fault(password: str, name: str) -> str:
    """What is wrong with a new password, "" when nothing is."""
    if not MIN_LENGTH <= len(password) <= MAX_LENGTH:
        return f"a password has {MIN_LENGTH} characters at least"
    if len(set(password)) < 4 or password.casefold() in (name.casefold() * 5, name.casefold()):
        return "that password is too easy to guess"
    if name and len(name) >= 6 and name.casefold() in password.casefold():
        return "a password must not hold the name"
    return ""


def hashed(password: str) -> str:
    """Argon2's encoded hash."""
    with _turn:
        return _hasher.hash(password)


def matches(password: str, encoded: str) -> bool:
    """Whether it is that password; takes as long for an account that has none."""
    with _turn:
        try:
            return _hasher.verify(encoded or _NOBODY, password[: MAX_LENGTH + 1]) and bool(encoded)
        except (VerificationError, InvalidHashError):
            return False


_NOBODY = _hasher.hash("nobody has this password")
