"""A real systemd-journald for one test, in namespaces of its own."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Self

import pytest

from tests.servers import await_fact, require

_JOURNALD = "/lib/systemd/systemd-journald"

# Its sockets are below /run, so it gets a /run of its own; the journal is where the test sees it.
_SCRIPT = f"""
set -e
mount -t tmpfs tmpfs /run
mkdir -p /run/systemd/journal /run/systemd/system /run/log/journal
mount --bind "$1" /run/log/journal
{_JOURNALD} &
while read -r line; do printf '%s\\n' "$line" | systemd-cat -t selfheal-test; done
"""


class Journal:
    """`say` writes an entry; the journal's files are in `directory`."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        if not Path(_JOURNALD).exists():
            if os.environ.get("CI"):
                pytest.fail("systemd-journald is not installed")
            pytest.skip("systemd-journald is not installed")

    def __enter__(self) -> Self:
        self.directory.mkdir()
        apart = [require("unshare"), "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"]
        if os.geteuid() != 0:
            apart.append("--map-root-user")
        shell = ["sh", "-c", _SCRIPT, "journal", str(self.directory)]
        self._process = subprocess.Popen(
            [*apart, *shell], stdin=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        try:
            await_fact("journal files", lambda: list(self.directory.glob("*/system.journal")))
        except BaseException:
            self.__exit__()
            raise
        return self

    def say(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()

    def __exit__(self, *failure: object) -> None:
        self._process.kill()
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(20)
