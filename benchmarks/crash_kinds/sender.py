"""Sends reports as a careful sender does, and notes what the engine has acknowledged."""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import threading
import time

from benchmarks.crash_kinds.cases import Answer, Report, Way
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
        if report.way is Way.EMIT:
            return self._emit(report)
        port = self._site.alerts if report.way is Way.ALERTMANAGER else self._site.hooks
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

    def _emit(self, report: Report) -> Answer:
        """Nobody kills this program: when it says yes the event is on disk, else it is not."""
        command = [self._site.python, "-m", "selfheal.cli", "emit", "--ruleset", "hooks"]
        done = subprocess.run(
            [*command, "-p", str(self._site.folder)],
            input=json.dumps({"payload": report.body}).encode(),
            capture_output=True,
            env={**self._site.env, "PATH": os.environ.get("PATH", os.defpath)},
            check=False,
        )
        if done.returncode:
            self.refused.append(f"{report.case.key}: emit: {done.stderr.decode()[-200:]}")
            return Answer.OPEN
        report.sent += 1
        return Answer.TAKEN
