"""A fake of AWX's REST API, as far as job templates need it.

A fake, because the real one is a cluster of containers that can't run here; the recordings were
made against such a fake, too. It knows every template, in the organizations it is told.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlsplit

_KINDS = {"job_template": "jobs", "workflow_job_template": "workflow_jobs"}
_FIRST_JOB = 100
_ARTIFACTS = {"a": 1}  # what every recorded job left behind


@dataclass(frozen=True, slots=True)
class Launch:
    """One template that was launched."""

    template: str
    """Its name."""
    kind: str
    """`jobs` or `workflow_jobs`."""
    body: Mapping[str, Any]
    """What was sent along."""


@contextlib.contextmanager
def controller(
    seconds: Mapping[str, float], organizations: set[str]
) -> Iterator[tuple[str, list[Launch]]]:
    """Serve until the block ends; yield the URL and the list that launches are added to.

    `seconds`: how long a template's jobs take; those not named end at once.
    """
    launches: list[Launch] = []
    handler = type("Handler", (_Handler,), {"site": _Site(seconds, organizations, launches)})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", launches
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Site:
    def __init__(
        self, seconds: Mapping[str, float], organizations: set[str], launches: list[Launch]
    ) -> None:
        self._seconds = seconds
        self._organizations = organizations or {"Default"}
        self._launches = launches
        self._ids = itertools.count(_FIRST_JOB)
        self._ends: dict[int, float] = {}
        self._lock = threading.Lock()

    def templates(self, name: str) -> dict[str, Any]:
        found = [
            {
                "name": name,
                "type": kind,
                "summary_fields": {"organization": {"name": organization}},
                "related": {"launch": f"/api/v2/{kind}s/{quote(name, safe='')}/launch/"},
            }
            for organization in sorted(self._organizations)
            for kind in _KINDS
        ]
        return {"count": len(found), "next": None, "results": found}

    def launch(self, kind: str, name: str, body: Mapping[str, Any]) -> dict[str, Any]:
        with self._lock:
            number = next(self._ids)
            self._launches.append(Launch(name, _KINDS[kind], body))
            self._ends[number] = time.monotonic() + self._seconds.get(name, 0)
        return {"id": number, "url": f"/api/v2/{_KINDS[kind]}/{number}/", "status": "pending"}

    def job(self, number: int) -> dict[str, Any]:
        status = "successful" if time.monotonic() >= self._ends[number] else "running"
        return {"id": number, "status": status, "artifacts": _ARTIFACTS}


class _Handler(BaseHTTPRequestHandler):
    site: _Site
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        *_, kind, last = parts.path.strip("/").split("/")
        if last == "unified_job_templates":
            self._answer(200, self.site.templates(parse_qs(parts.query)["name"][0]))
        elif kind in _KINDS.values():
            self._answer(200, self.site.job(int(last)))
        else:
            self._answer(404, {"detail": "Not found."})

    def do_POST(self) -> None:
        *_, kinds, name, _ = urlsplit(self.path).path.strip("/").split("/")
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"{}")
        self._answer(201, self.site.launch(kinds.removesuffix("s"), unquote(name), body))

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base's signature
        """Keep quiet."""

    def _answer(self, status: int, body: Mapping[str, Any]) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)
