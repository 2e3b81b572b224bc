"""Signed links: who holds one may answer one question in one way, once."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from dataclasses import dataclass
from typing import Literal

from selfheal.ports import JSON

PATH = "/answer/"
ANYBODY = "whoever had the link"
"""Who is recorded when nobody is named as approver."""
Verb = Literal["approve", "deny"]

_PURPOSE = b"selfheal approval link 1\0"  # the same key would never sign anything else alike
_LONGEST = 1000


@dataclass(frozen=True, slots=True)
class Link:
    """What a link says, once its signature is found right."""

    approval_id: str
    """The question."""
    who: str
    """Whose link it is."""
    verb: Verb
    """What it answers."""
    expires_at: int
    """Unix time from which it does nothing."""


class Links:
    """Makes and reads links. A link follows from its question and the key, so none is stored."""

    def __init__(self, key: bytes, url: str) -> None:
        """`url` is where people reach the engine's API, such as `https://heal.example.org`."""
        self._key = key
        self._url = url.rstrip("/")

    def text(self, data: JSON, person: str = "") -> str:
        """Return the lines to add to a message about an approval, on its way to `person`.

        `data` is the message's. Empty when it asks for no approval, or when that person may not
        answer: a target shared by several people gets no link that says it was one of them."""
        approvers = list(data.get("approvers") or [])
        if not data.get("approval_id") or (approvers and person not in approvers):
            return ""
        who = person or ANYBODY
        verbs: tuple[Verb, ...] = ("approve", "deny")
        lines = (f"{verb} (opens a page): {self._make(data, who, verb)}" for verb in verbs)
        return "\n".join(lines)

    def _make(self, data: JSON, who: str, verb: Verb) -> str:
        link = Link(str(data["approval_id"]), who, verb, int(data["expires_at"]))
        return f"{self._url}{PATH}{self.sign(link)}"

    def sign(self, link: Link) -> str:
        """Return the link as a token that is safe in a URL."""
        text = json.dumps([link.approval_id, link.who, link.verb, link.expires_at])
        payload = _encode(text.encode())
        mac = hmac.new(self._key, _PURPOSE + payload.encode(), hashlib.sha256)
        return f"{payload}.{_encode(mac.digest())}"

    def read(self, token: str) -> Link | None:
        """Return what the token says; None when this key has not signed it, letter by letter.

        The time is for the caller to look at."""
        if len(token) > _LONGEST or not token.isascii():
            return None
        try:
            ident, who, verb, expires_at = json.loads(_decode(token.partition(".")[0]))
            link = Link(ident, who, verb, expires_at)
            right = hmac.compare_digest(self.sign(link), token)
        except (ValueError, TypeError, binascii.Error, RecursionError):
            return None
        return link if right else None


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _decode(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
