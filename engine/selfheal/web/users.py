"""Who may use the API: tokens, compared so that time tells nothing."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable
from pathlib import Path

from selfheal.config import ApiUser
from selfheal.errors import ConfigError, Problem

_SHORTEST = 16  # characters


class Users:
    """Knows each user by the hash of their token."""

    def __init__(self, tokens: dict[str, str]) -> None:
        """`tokens`: name to token."""
        self._hashes = {name: _hash(token) for name, token in tokens.items()}

    def who(self, authorization: str) -> str:
        """Return whose token the header `Authorization` shows; empty: nobody's.

        Each token is compared, whether or not one was right before."""
        scheme, _, token = authorization.strip().partition(" ")
        shown, found = _hash(token.strip()), ""
        for name, known in self._hashes.items():
            same = hmac.compare_digest(shown, known)
            found = name if same else found
        return found if scheme.lower() == "bearer" else ""


def load_users(users: Iterable[ApiUser], root: Path) -> Users:
    """Read the tokens; relative paths are taken from `root`.

    Raises ConfigError for one that can't be read, is too short, or is another user's, too."""
    tokens: dict[str, str] = {}
    for user in users:
        token = user.secret.read(root).strip()
        place = f"api: token of {user.name}"
        if len(token) < _SHORTEST:
            hint = "make one with: openssl rand -hex 32"
            message = f"a token has {_SHORTEST} characters or more"
            raise ConfigError([Problem(message, place, hint=hint)])
        if token in tokens.values():
            raise ConfigError([Problem("another user has the same token", place)])
        tokens[user.name] = token
    return Users(tokens)


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()
