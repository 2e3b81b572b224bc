"""What one can ask for, by method and path, and the answers as JSON."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from selfheal.approvals import Approvals, verdict
from selfheal.clock import Clock
from selfheal.errors import NotFoundError
from selfheal.model import Answer, Channel, Heard, Kind
from selfheal.ports import Record
from selfheal.web import views
from selfheal.web.pausing import pause, resume
from selfheal.web.problem import HttpProblem

_MOST_ROWS = 500
_ROWS = 50
_LONGEST_WHY = 2000


@dataclass(frozen=True, slots=True)
class Asked:
    """One request of one who is known."""

    who: str
    """Name of the token's user."""
    words: tuple[str, ...]
    """What stands in the path's places."""
    query: Mapping[str, str]
    """Of the URL."""
    body: Mapping[str, Any]
    """Of a POST."""


Handler = Callable[[Asked], Any]


class Routes:
    """Answers with plain data; raises HttpProblem."""

    def __init__(
        self, record: Record, approvals: Approvals, mask: Callable[[str], str], clock: Clock
    ) -> None:
        self._record = record
        self._approvals = approvals
        self._mask = mask
        self._clock = clock
        self._table: tuple[tuple[str, re.Pattern[str], Handler], ...] = tuple(
            (method, re.compile(pattern), handler)
            for method, pattern, handler in (
                ("GET", "/api/status", self._status),
                ("GET", "/api/incidents", self._incidents),
                ("GET", "/api/incidents/([^/]+)", self._incident),
                ("GET", "/api/runs", self._runs),
                ("GET", "/api/runs/([^/]+)", self._run),
                ("GET", "/api/approvals", self._all_approvals),
                ("GET", "/api/approvals/([^/]+)", self._approval),
                ("POST", "/api/approvals/([^/]+)/(approve|deny)", self._answer),
                ("GET", "/api/locks", self._locks),
                ("POST", "/api/pause", self._pause),
                ("POST", "/api/resume", self._resume),
            )
        )

    def find(self, method: str, path: str) -> tuple[Handler, tuple[str, ...]]:
        """Return who answers, and the words in the path. Raises HttpProblem 404 or 405."""
        allowed = set()
        for known, pattern, handler in self._table:
            if found := pattern.fullmatch(path):
                if method in (known, "HEAD" if known == "GET" else known):
                    return _found_or_404(handler), found.groups()
                allowed.add(known)
        if allowed:
            headers = {"Allow": ", ".join(sorted(allowed))}
            raise HttpProblem(405, f"{method} is not for this path", headers=headers)
        raise HttpProblem(404, "no such path")

    def masked(self, data: Any) -> Any:
        """Return plain data with every text in it masked."""
        if isinstance(data, str):
            return self._mask(data)
        if isinstance(data, Mapping):
            return {self._mask(str(key)): self.masked(value) for key, value in data.items()}
        if isinstance(data, list | tuple):
            return [self.masked(value) for value in data]
        return data

    def record_answers(self) -> bool:
        """Read something. Raises StoreError."""
        self._record.last_entry(Kind.ENGINE)
        return True

    def _status(self, asked: Asked) -> Any:
        return views.status(self._record)

    def _incidents(self, asked: Asked) -> Any:
        found = self._record.incidents(limit=_limit(asked), state=asked.query.get("state", ""))
        return [views.incident_row(self._record, one) for one in found]

    def _incident(self, asked: Asked) -> Any:
        return views.incident(self._record, self._record.incident(asked.words[0]))

    def _runs(self, asked: Asked) -> Any:
        found = self._record.healings(limit=_limit(asked), state=asked.query.get("state", ""))
        return [views.run_row(one) for one in found]

    def _run(self, asked: Asked) -> Any:
        return views.run(self._record, self._record.healing(asked.words[0]))

    def _all_approvals(self, asked: Asked) -> Any:
        state = asked.query.get("state", "")
        return views.plain(self._record.approvals(limit=_limit(asked), state=state))

    def _approval(self, asked: Asked) -> Any:
        return views.plain(self._record.approval(asked.words[0]))

    def _answer(self, asked: Asked) -> Any:
        ident, verb = asked.words
        yes, now = verb == "approve", self._clock.now()
        given = Answer(asked.who, yes, _why(asked, "why"), now, Channel.API)
        heard, approval = self._approvals.answer(ident, given)
        data = {"heard": heard.value, "approval": views.plain(approval)}
        if heard is Heard.NOT_ASKED:
            raise HttpProblem(403, f"{asked.who} is none of the approvers", data)
        if heard is Heard.TOO_LATE:
            raise HttpProblem(409, f"decided already: {verdict(approval)}", data)
        return data

    def _locks(self, asked: Asked) -> Any:
        return views.plain(self._record.locks())

    def _pause(self, asked: Asked) -> Any:
        why, what = _why(asked, "what", "why"), asked.body.get("what")
        return pause(self._record, asked.who, what, why, self._clock.now())

    def _resume(self, asked: Asked) -> Any:
        why, what = _why(asked, "what", "why"), asked.body.get("what")
        return resume(self._record, asked.who, what, why, self._clock.now())


def _found_or_404(handler: Handler) -> Handler:
    def handle(asked: Asked) -> Any:
        try:
            return handler(asked)
        except NotFoundError as error:
            raise HttpProblem(404, str(error)) from error

    return handle


def _limit(asked: Asked) -> int:
    text = asked.query.get("limit", str(_ROWS))
    if not text.isdecimal() or not 1 <= int(text) <= _MOST_ROWS:
        raise HttpProblem(400, f"limit is a number from 1 to {_MOST_ROWS}")
    return int(text)


def _why(asked: Asked, *keys: str) -> str:
    """Return the text under `why`; a key that nobody reads is refused: it was meant to matter."""
    if unknown := sorted(set(asked.body) - set(keys)):
        raise HttpProblem(400, f"unknown key {unknown[0]}; known: {', '.join(keys)}")
    why = asked.body.get("why", "")
    if not isinstance(why, str) or len(why) > _LONGEST_WHY:
        raise HttpProblem(400, f"why is a text of at most {_LONGEST_WHY} characters")
    return why
