"""Children that were forked and have not become Ansible: they end with the engine, or by it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from tests.servers.base import await_fact

PARENT = """
import os, sys, time
from selfheal.recovery.executors.processes import {imported}
{first}
child = os.fork()
if child == 0:
    time.sleep(60)
print(child, flush=True)
{then}
"""


@contextmanager
def parent(
    imported: str, first: str = "", then: str = "time.sleep(60)"
) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """Start a process that forks a child which hangs; give both."""
    code = PARENT.format(imported=imported, first=first, then=then)
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        child = int(process.stdout.readline())
        try:
            yield process, child
        finally:
            process.kill()


def lives(pid: int) -> bool:
    """Tell whether the process is there and no zombie."""
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def test_a_forked_child_ends_with_its_engine() -> None:
    """kill -9 of the engine ends a child that hangs before it has become another program."""
    with parent("end_forks_with_us", first="end_forks_with_us()") as (process, child):
        assert lives(child)
        process.kill()
        await_fact("the child has ended", lambda: not lives(child))


def test_a_child_that_hangs_before_it_is_ansible_is_found() -> None:
    """After two seconds it is taken for stuck; one that became another program is not."""
    then = (
        "other = __import__('subprocess').Popen(['sleep', '60'])\n"
        "while stuck_forks() != {child}: time.sleep(0.1)\n"
        "print('found', flush=True); time.sleep(60)"
    )
    with parent("stuck_forks", then=then) as (process, child):
        assert process.stdout is not None
        assert process.stdout.readline() == b"found\n"
        os.kill(child, 9)
