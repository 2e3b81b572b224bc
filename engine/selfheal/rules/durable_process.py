"""Starting, asking and ending the child process that holds durable_rules."""

from __future__ import annotations

import contextlib
import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from selfheal.errors import JoinEngineError
from selfheal.rules.join import Shape

START_TIMEOUT = 10.0
"""Seconds for Python to start and import the library, on a busy machine."""
ANSWER_TIMEOUT = 1.0
"""Seconds after which the child counts as hung; it answers in a tenth of a millisecond."""
_PASSED_ON = ("PATH", "PYTHONPATH", "PYTHONHOME", "LD_LIBRARY_PATH", "HOME", "TMPDIR")


class DurableProcess:
    """One child. Every method raises `JoinEngineError` when it died, hung or talks nonsense."""

    def __init__(self, shapes: Iterable[Shape]) -> None:
        script = Path(__file__).with_name("durable_child.py")
        # -P: the folder of the script holds modules of ours, not of the child.
        process = subprocess.Popen(
            [sys.executable, "-P", "-u", str(script), str(os.getpid())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={name: os.environ[name] for name in _PASSED_ON if name in os.environ},
        )
        if process.stdin is None or process.stdout is None:
            raise JoinEngineError("the join engine's child has no pipes")
        self._process, self._stdin, self._stdout = process, process.stdin, process.stdout
        self._buffer = b""
        rules = [[s.rule, s.slots, [[x.name, x.earlier, x.later] for x in s.links]] for s in shapes]
        try:
            self.ask(rules, timeout=START_TIMEOUT)
        except JoinEngineError:
            self.kill()
            raise

    @property
    def pid(self) -> int:
        """Process id of the child."""
        return self._process.pid

    def ask(self, request: Any, *, timeout: float = ANSWER_TIMEOUT) -> dict[str, Any]:
        """Send one line, return the answer's object."""
        try:
            self._stdin.write(json.dumps(request).encode() + b"\n")
            self._stdin.flush()
        except (OSError, ValueError) as error:
            raise JoinEngineError(f"the join engine's child is gone: {error}") from error
        line = self._read_line(time.monotonic() + timeout)
        try:
            answer = json.loads(line)
        except ValueError as error:
            raise JoinEngineError("the join engine's child talks nonsense") from error
        if not isinstance(answer, dict) or "error" in answer:
            raise JoinEngineError(f"durable_rules failed: {answer}")
        return answer

    def kill(self) -> None:
        """End the child at once and reap it."""
        self._process.kill()
        self._process.wait()
        self._stdout.close()
        # A last line can't be flushed into a dead child; nothing is lost.
        with contextlib.suppress(OSError):
            self._stdin.close()

    def _read_line(self, deadline: float) -> bytes:
        descriptor = self._stdout.fileno()
        while b"\n" not in self._buffer:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([descriptor], [], [], left)[0]:
                raise JoinEngineError("the join engine's child does not answer")
            chunk = os.read(descriptor, 1 << 16)
            if not chunk:
                raise JoinEngineError("the join engine's child died")
            self._buffer += chunk
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line
