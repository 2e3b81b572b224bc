"""Secrets: every value that must not be seen, and the one mask that hides them wherever text goes.

What is known is hidden: a value is learned from `!vault`, from a `_FILE` variant, from arguments
and variables whose names say what they are. A secret nobody told the engine of can't be hidden.
"""

from __future__ import annotations

import json
import logging
import re
import threading
from collections.abc import Mapping
from enum import Enum
from functools import lru_cache
from typing import Any, TypeVar

from pydantic import SecretStr

from selfheal import model
from selfheal.errors import ConfigError, Problem
from selfheal.spellings import Spelling, spellings

log = logging.getLogger(__name__)
T = TypeVar("T")

MASK = "******"
SHORTEST = 4
"""Characters below which a secret can't be hidden: texts would be blotted out at random."""

_SECRET = re.compile(
    r"pass(?!ive|ed|ing|es)|secret|token|credential|cookie|signature|(^|_)auth($|_)|authorization"
    r"|(api|private|access|ssh|signing|encryption|routing|integration|link|master|account|shared"
    r"|storage|consumer|license)_?key|(^|_)(pwd|pat|psk)$"
)
_NO_SECRET = re.compile(
    r"_(file|path|dir|name|names|url|uri|header|headers|algo|format|field|type|(?<!secret_)id|ttl"
    r"|timeout|length|count|required|enabled)$|bypass|compass|by_?pass"
    r"|(^|_)(max|min|num|input|output|prompt|completion|total)_(new_)?tokens$"
)
_FOLDER = "PWD"  # where a shell is
# What stands beside a secret.
_BESIDE = re.compile(
    r"(^|_)(file|path|dir|env|name|user(name)?|login|e?mail|host(name)?|port|url|uri|type|kind|id"
    r"|scheme|method|realm|algo(rithm)?|format|description|ttl|timeout|count|length|enabled)$"
)
# An id of the record is chance: a secret of a few characters found inside one is not there.
_ID = re.compile(r"[a-z]{2}-[0-9a-hjkmnp-tv-z]{16}", re.ASCII)
_CHANCE = 8  # characters that an id and a secret may have in common by chance
_SHORTEST_NUMBER = 6
_LOGIN = re.compile(r"(?:bearer|basic|token|digest|apikey)\s+(\S+)", re.IGNORECASE)
# The record's own words: hiding them would make its rows unreadable.
_WORDS = {"true", "false", "null", "none"} | {
    str(member.value)
    for kind in vars(model).values()
    if isinstance(kind, type) and issubclass(kind, Enum)
    for member in kind
}


def looks_secret(name: str) -> bool:
    """Tell whether what is called `name` is most likely a secret: `db_password`, `X-Api-Key`."""
    plain = _plain(name)
    return bool(_SECRET.search(plain)) and not _NO_SECRET.search(plain) and name != _FOLDER


def _plain(name: str) -> str:
    """`X-Api-Key`, `xApiKey` and `X_API_KEY` are one name."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower().replace("-", "_")


def holds_mask(value: Any) -> bool:
    """Tell whether a secret was blotted out anywhere in `value`: it is of no use to anybody."""
    if isinstance(value, Mapping):
        return any(holds_mask(item) for item in value.values())
    if isinstance(value, list | tuple):
        return any(holds_mask(item) for item in value)
    return isinstance(value, str) and MASK in value


_compiled = lru_cache(maxsize=4096)(re.compile)


class Secrets:
    """What one process must not show.

    Masking is done in memory, in the order longest first, so that no secret is left in part
    because it holds another. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._values: dict[str, list[Spelling]] = {}
        self._spellings: tuple[Spelling, ...] = ()

    @property
    def count(self) -> int:
        """How many secrets are known."""
        return len(self._values)

    def learn(self, value: Any, place: str) -> None:
        """Hide `value` from now on; of a container every text in it, whatever its key.

        Raises ConfigError, naming `place` but not the value, for one that can't be hidden."""
        if isinstance(value, SecretStr):
            value = value.get_secret_value()
        if isinstance(value, Mapping):
            for key, item in value.items():
                self.learn(item, f"{place}: {key}")
        elif isinstance(value, list | tuple):
            for item in value:
                self.learn(item, place)
        elif isinstance(value, str) and value.strip():
            self._learn(value, place)
        elif isinstance(value, int) and abs(value) >= 10 ** (_SHORTEST_NUMBER - 1):
            self._learn(str(value), place)

    def learn_named(self, data: Any, place: str) -> None:
        """Learn from `data` what stands under a name that looks like a secret's: of a container
        all but what only stands beside a secret, such as a user or a host.

        A name is only a guess, so what can't be hidden is warned of, not refused. A template is
        no secret; what it is rendered from is learned elsewhere."""
        self._learn_named(data, place, inside=False)

    def _learn_named(self, data: Any, place: str, *, inside: bool) -> None:
        if isinstance(data, SecretStr):
            self.learn(data, place)
        elif isinstance(data, list | tuple):
            for item in data:
                self._learn_named(item, place, inside=inside)
        elif isinstance(data, Mapping):
            for key, item in data.items():
                name = str(key)
                secret = looks_secret(name) or (inside and not _BESIDE.search(_plain(name)))
                self._learn_named(item, f"{place}: {name}", inside=secret)
        elif inside:
            self._learn_guess(data, place)

    def mask(self, value: T) -> T:
        """Return `value`; of JSON-like data a copy, with secrets blotted out of texts and keys."""
        if not self._spellings:
            return value
        masked: Any = self._mask(value)
        return masked  # type: ignore[no-any-return]  # of the same shape, texts replaced

    def mask_document(self, text: str) -> str:
        """Return a text, JSON staying JSON: only the strings inside are changed then."""
        masked = self._text(text)
        if masked == text or self._is_id(text):
            return text
        try:
            if text[:1] not in '{["':
                return masked
            return json.dumps(self._mask(json.loads(text)), separators=(",", ":"))
        except (ValueError, RecursionError):
            return masked

    def holds(self, value: Any) -> bool:
        """Tell whether a secret stands anywhere in `value`."""
        return bool(self.mask(value) != value)

    def without_secrets(self, variables: Mapping[str, Any]) -> dict[str, Any]:
        """Return the variables that hold no secret, fit to be recorded."""
        return {name: value for name, value in variables.items() if not self.holds(value)}

    def only_secrets(self, variables: Mapping[str, Any]) -> dict[str, Any]:
        """Return the others: what must be given again at each start."""
        return {name: value for name, value in variables.items() if self.holds(value)}

    def _learn_guess(self, value: Any, place: str) -> None:
        if isinstance(value, str):
            if "{{" in value or "{%" in value:
                return
            if login := _LOGIN.fullmatch(value.strip()):
                value = login[1]
        try:
            self.learn(value, place)
        except ConfigError as error:
            log.warning("%s", error)

    def _learn(self, value: str, place: str) -> None:
        value = value.strip()
        if value in self._values:
            return
        if len(value) < SHORTEST or value in _WORDS:
            why = "is too short" if len(value) < SHORTEST else "is a word the record itself uses"
            hint = f"choose one of {SHORTEST} characters or more that is no common word"
            message = f"a secret {why}: it can't be hidden from logs and the record"
            raise ConfigError([Problem(message, place, hint=hint)])
        with self._lock:  # whoever masks meanwhile goes on with what was known
            self._values = {**self._values, value: spellings(value)}
            longest_first = sorted(self._values, key=len, reverse=True)
            found = (one for known in longest_first for one in self._values[known])
            self._spellings = tuple(dict.fromkeys(found))

    def _mask(self, value: Any) -> Any:
        if isinstance(value, str):
            return value if self._is_id(value) else self._text(value)
        if isinstance(value, Mapping):
            return {self._mask(key): self._mask(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self._mask(item) for item in value]
        if isinstance(value, int) and not isinstance(value, bool) and str(value) in self._values:
            return MASK
        return value

    def _is_id(self, text: str) -> bool:
        """Tell whether it is the record's own; what is shaped like one may be a secret itself."""
        if not _ID.fullmatch(text):
            return False
        return not any(len(secret) > _CHANCE and secret in text for secret in self._values)

    def _text(self, text: str) -> str:
        # Most texts hold no anchor, and `in` is a memchr away from the speed of memory.
        for anchor, expression in self._spellings:
            if anchor in text:
                text = _compiled(expression).sub(MASK, text)
        return text
