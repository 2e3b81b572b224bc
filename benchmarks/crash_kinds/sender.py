"""Sends reports as a careful sender does, and notes what the engine has acknowledged."""

from __future__ import annotations

import http.client
import json
import threading
import time

from benchmarks.crash_kinds.cases import Answer, Report
from benchmarks.crash_kinds.site import TOKEN, Site

_HEADERS = {"Content-Type": "application/json", "Authorization": f"Bearer {TOKEN}"}


class Sender:
    """Posts side by side, so that a kill comes in the middle of some."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._threads: list[threading.Thread] = []
        self.acknowledged = 0
        """Answers 2xx."""
        self.refused: list[str] = []
        """Answers that are neither 2xx nor a request to come again."""
        self._lock = threading.Lock()

    def send(self, report: Report, after: float = 0.0) -> None:
        """Post the report `after` seconds from now, without waiting for it."""
        thread = threading.Thread(target=self._later, args=(report, after), daemon=True)
        self._threads.append(thread)
        thread.start()

    def settle(self) -> None:
        """Return when every post has had its answer, or a broken connection."""
        for thread in self._threads:
            thread.join(30)
        self._threads.clear()

    def _later(self, report: Report, after: float) -> None:
        time.sleep(after)
        answer = self._post(report)
        if answer is Answer.OPEN and report.case.repeatable:
            answer = Answer.WAITING
        with self._lock:
            report.answer = answer
            self.acknowledged += answer is Answer.TAKEN

    def _post(self, report: Report) -> Answer:
        port = self._site.alerts if report.to_alerts else self._site.hooks
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        try:
            connection.connect()
        except OSError:
            return Answer.WAITING  # nobody listens: certainly not taken in
        report.sent += 1
        try:
            connection.request("POST", "/endpoint", json.dumps(report.body), _HEADERS)
            status = connection.getresponse().status
        except (OSError, http.client.HTTPException):
            return Answer.OPEN
        finally:
            connection.close()
        if 200 <= status < 300:
            return Answer.TAKEN
        if status not in (429, 503):
            self.refused.append(f"{report.case.key}: {status}")
        return Answer.OPEN
