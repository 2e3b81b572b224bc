#!/usr/bin/python
"""Ansible module: end exactly the process that is meant."""

from __future__ import annotations

import os
import signal
import time
from typing import Any, NamedTuple

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.selfheal_memory import Memory, MemoryRefused

DOCUMENTATION = r"""
module: process_kill
short_description: End a process found by its exact command line or its pidfile
description:
- Sends TERM, wakes a stopped (SIGSTOP) process so that it can obey, and sends KILL after I(grace)
  seconds.
- A process is known by its pid and its start time, checked before every signal, so a reused pid
  is never hit.
- Refuses a pidfile older than the process it names (the pid was reused), and more than I(most)
  matches.
options:
  command:
    type: str
    description: The whole command line, arguments joined by one blank each, compared exactly.
  pidfile:
    type: path
    description: File that holds the pid. With I(command) both must agree.
  children:
    type: bool
    default: true
    description: End its descendants too.
  most:
    type: int
    default: 1
    description: Refuse when more processes than this match.
  grace:
    type: float
    default: 5
    description: Seconds between TERM and KILL.
  remember:
    type: path
    description: File that keeps which processes were meant at first; a repeated run touches no
      other, so not their successors.
  state:
    type: str
    default: absent
    choices:
    - absent
    - forgotten
    description: C(forgotten) drops I(remember) and ends nothing.
author: The selfheal authors
"""
EXAMPLES = r"""
- process_kill: {command: "/usr/bin/python3 /srv/app.py --port 8080", grace: 3}
- process_kill: {pidfile: /run/nginx.pid}
"""
RETURN = r"""
ended:
  type: list
  returned: always
  description: Pids that were (or in check mode would be) ended.
"""


class Refused(Exception):
    """It is not certain which process is meant."""


class Process(NamedTuple):
    """A process that cannot be mistaken for a later one with the same pid."""

    pid: int
    started: int  # clock ticks since boot

    def alive(self) -> bool:
        fields = stat_fields(self.pid)
        return bool(fields) and int(fields[19]) == self.started and fields[0] not in "ZX"

    def send(self, number: int) -> None:
        """Send a signal, if this very process still lives."""
        try:
            if not hasattr(os, "pidfd_open"):  # Python before 3.9 on the managed host
                if self.alive():
                    os.kill(self.pid, number)
                return
            handle = os.pidfd_open(self.pid)
            try:
                # The handle is pinned to one process; only now is its identity worth checking.
                if self.alive():
                    signal.pidfd_send_signal(handle, number)
            finally:
                os.close(handle)
        except ProcessLookupError:
            pass  # it ended by itself, which is what was wanted


def stat_fields(pid: int) -> list[str]:
    """The fields of /proc/PID/stat after the name, from the state on; empty when it is gone."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            return file.read().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return []


def process(pid: int) -> Process | None:
    fields = stat_fields(pid)
    return Process(pid, int(fields[19])) if fields else None


def command_of(pid: int) -> str:
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            return " ".join(file.read().decode(errors="replace").rstrip("\0 ").split("\0"))
    except (FileNotFoundError, ProcessLookupError):
        return ""


def all_pids() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def parent(pid: int) -> int:
    fields = stat_fields(pid)
    return int(fields[1]) if fields else 0


def own_line() -> set[int]:
    """This process and its ancestors: never to be ended."""
    line, pid = {1}, os.getpid()
    while pid > 1:
        line.add(pid)
        pid = parent(pid)
    return line


def from_pidfile(path: str) -> list[int]:
    """The pid in the file; empty when there is no file or no such process."""
    try:
        with open(path, encoding="utf-8") as file:
            pid = int(file.read().split()[0])
        written = os.stat(path).st_mtime
    except FileNotFoundError:
        return []
    except (ValueError, IndexError) as error:
        raise Refused(f"{path} holds no pid") from error
    found = process(pid)
    if found is None:
        return []
    # A process writes its pidfile after it starts. 2 s: /proc/stat gives the boot in whole seconds.
    if started_at(found) > written + 2:
        raise Refused(f"{path} is older than process {pid}: the pid was reused")
    return [pid]


def started_at(known: Process) -> float:
    """When a process started, in seconds of the wall clock."""
    with open("/proc/stat", encoding="utf-8") as file:
        boot = next(int(line.split()[1]) for line in file if line.startswith("btime "))
    return boot + known.started / os.sysconf("SC_CLK_TCK")


def matches(command: str | None, pidfile: str | None) -> list[Process]:
    pids = from_pidfile(pidfile) if pidfile else all_pids()
    if command:
        named = [pid for pid in pids if command_of(pid) == command]
        if pidfile and pids and not named:
            raise Refused(f"process {pids[0]} of {pidfile} runs `{command_of(pids[0])}`")
        pids = named
    found = [process(pid) for pid in pids if pid not in own_line()]
    return [each for each in found if each is not None and each.alive()]


def descendants(roots: list[Process]) -> list[Process]:
    parents = {pid: parent(pid) for pid in all_pids()}
    family = {root.pid for root in roots}
    size = 0
    while size != len(family):
        size = len(family)
        family |= {pid for pid, above in parents.items() if above in family}
    below = [process(pid) for pid in sorted(family - {root.pid for root in roots})]
    return [each for each in below if each is not None]


def end(processes: list[Process], grace: float) -> None:
    """TERM, then KILL for those that do not obey in time."""
    for number, patience in ((signal.SIGTERM, grace), (signal.SIGKILL, 5.0)):
        for each in processes:
            each.send(number)
            each.send(signal.SIGCONT)
        deadline = time.monotonic() + patience
        while time.monotonic() < deadline:
            if not any(each.alive() for each in processes):
                return
            time.sleep(0.02)


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "command": {"type": "str"},
            "pidfile": {"type": "path"},
            "children": {"type": "bool", "default": True},
            "most": {"type": "int", "default": 1},
            "grace": {"type": "float", "default": 5},
            "remember": {"type": "path"},
            "state": {"type": "str", "default": "absent", "choices": ["absent", "forgotten"]},
        },
        required_if=[("state", "absent", ("command", "pidfile"), True)],
        supports_check_mode=True,
    )
    try:
        module.exit_json(**run(module.params, module.check_mode))
    except (Refused, MemoryRefused, PermissionError) as error:
        module.fail_json(msg=str(error))


def run(options: dict[str, Any], check_mode: bool) -> dict[str, Any]:
    memory = Memory(options["remember"])
    meant = memory.recall()
    if options["state"] == "forgotten":
        if not check_mode:
            memory.forget()
        return {"changed": False, "ended": []}
    if meant is not None:
        known = [Process(*each) for each in meant]
        targets = [each for each in known if each.alive()]
    else:
        roots = matches(options["command"], options["pidfile"])
        if len(roots) > options["most"]:
            pids = ", ".join(str(each.pid) for each in roots)
            raise Refused(f"{len(roots)} processes match ({pids}), at most {options['most']} may")
        targets = roots + (descendants(roots) if options["children"] else [])
    if targets and not check_mode:
        memory.remember(targets)
        end(targets, options["grace"])
        survivors = [each.pid for each in targets if each.alive()]
        if survivors:
            raise Refused(f"processes survived SIGKILL (waiting in the kernel?): {survivors}")
    return {"changed": bool(targets), "ended": [each.pid for each in targets]}


if __name__ == "__main__":
    main()
