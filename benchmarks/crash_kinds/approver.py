"""The human who is asked: answers by the command line, long after the question was put."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable

from benchmarks.crash_kinds.cases import Case
from benchmarks.crash_kinds.engine import rows
from benchmarks.crash_kinds.site import Site

_PENDING = "SELECT id, target FROM approvals WHERE state = 'pending' AND asked_at < ?"


class Approver:
    """Says yes or no as each case wants it."""

    def __init__(self, site: Site, cases: Iterable[Case]) -> None:
        self._site = site
        self._denied = {case.key for case in cases if case.denied}

    def answer(self, asked_before: float) -> int:
        """Answer what was asked before that moment; return how many questions there were."""
        if not self._site.database.exists():
            return 0
        pending = rows(self._site, _PENDING, asked_before)
        for question in pending:
            verb = "deny" if question["target"] in self._denied else "approve"
            self._say(verb, question["id"])
        return len(pending)

    def _say(self, verb: str, approval: str) -> None:
        command = [self._site.python, "-m", "selfheal.cli", verb, approval, "--as", "night-shift"]
        # Not the trial's PATH: a human's program is none of the engine's processes.
        env = {**self._site.env, "PATH": os.environ.get("PATH", os.defpath)}
        with (self._site.folder / "cli.log").open("ab") as log:
            subprocess.run(
                [*command, "-p", str(self._site.folder)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=env,
                check=False,  # the engine may be dead by now; the question is put again
            )
