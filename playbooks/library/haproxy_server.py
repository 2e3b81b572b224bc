#!/usr/bin/python
"""Ansible module: bring servers of an HAProxy backend in and take others out."""

from __future__ import annotations

import time
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.selfheal_haproxy import Haproxy, HaproxyError
from ansible.module_utils.selfheal_memory import (
    Memory,
    MemoryRefused,
    write_privately,
)

DOCUMENTATION = r"""
module: haproxy_server
short_description: Set servers of an HAProxy backend ready, drain or maint by the runtime socket
description:
- Servers that become ready come first and must pass a health check before any other is taken
  out.
- A server is drained before maintenance. On any failure every server gets back the mode it had.
options:
  socket:
    type: path
    default: /run/haproxy/admin.sock
    description: HAProxy's stats socket, level admin.
  backend:
    type: str
    required: true
    description: The backend.
  servers:
    type: dict
    description: 'Server name to wanted mode: C(ready), C(drain) or C(maint).'
  state:
    type: str
    default: present
    choices:
    - present
    - restored
    description: C(restored) brings back the modes in I(remember), then forgets them.
  wait:
    type: float
    default: 10
    description: Seconds for a ready server to pass its health check.
  drain:
    type: float
    default: 10
    description: Seconds for the sessions of a leaving server to end by themselves.
  keep_up:
    type: int
    default: 1
    description: Refuse to take servers out when fewer than this many would be up.
  state_file:
    type: path
    description: HAProxy's server-state-file; written after the change, so that a reload keeps
      it.
  remember:
    type: path
    description: File that keeps the modes before the first change.
author: The selfheal authors
"""
EXAMPLES = r"""
- haproxy_server: {backend: app, servers: {app3: ready}}
- haproxy_server:
    backend: redis
    servers: {redis2: ready, redis1: maint}
    remember: /var/tmp/step/haproxy.json
"""
RETURN = r"""
before:
  type: dict
  returned: always
  description: Mode of each named server before.
after:
  type: dict
  returned: always
  description: Mode of each named server now (in check mode
  as it would be).: null
"""

MODES = ("ready", "drain", "maint")


class Switch:
    """One change of modes in one backend."""

    def __init__(self, options: dict[str, Any], wanted: dict[str, str]) -> None:
        self.haproxy = Haproxy(options["socket"])
        self.backend = options["backend"]
        self.options = options
        self.wanted = wanted
        servers = self.haproxy.servers(self.backend)
        unknown = sorted(set(wanted) - set(servers))
        if unknown:
            raise HaproxyError(f"backend {self.backend} has no server {', '.join(unknown)}")
        self.before = {name: servers[name].mode for name in wanted}
        self.changes = {name: mode for name, mode in wanted.items() if mode != self.before[name]}

    def make(self) -> None:
        """Bring in, verify, take out; on failure put every mode back."""
        leaving = [name for name, mode in self.changes.items() if mode != "ready"]
        try:
            self._bring_in()
            self._await_up()
            self._keep_enough(leaving)
            self._take_out(leaving)
        except HaproxyError:
            for name in self.changes:
                self._set(name, self.before[name])
            raise

    def undo(self) -> str:
        """Set the wanted modes even if a server is down, as it was before; says which are."""
        self._bring_in()
        down = ""
        try:
            self._await_up()
        except HaproxyError as error:
            down = str(error)
        self._take_out([name for name, mode in self.changes.items() if mode != "ready"])
        return down

    def _set(self, name: str, mode: str) -> None:
        self.haproxy.tell(f"set server {self.backend}/{name} state {mode}")

    def _bring_in(self) -> None:
        for name, mode in self.changes.items():
            if mode == "ready":
                self._set(name, mode)

    def _await_up(self) -> None:
        names = [name for name, mode in self.wanted.items() if mode == "ready"]
        deadline = time.monotonic() + self.options["wait"]
        while True:
            servers = self.haproxy.servers(self.backend)
            down = [f"{name} ({servers[name].status})" for name in names if not servers[name].up]
            if not down:
                return
            if time.monotonic() > deadline:
                raise HaproxyError(
                    f"not up in backend {self.backend} after {self.options['wait']} s: "
                    + ", ".join(down)
                )
            time.sleep(0.05)

    def _keep_enough(self, leaving: list[str]) -> None:
        servers = self.haproxy.servers(self.backend)
        left = [name for name, server in servers.items() if server.up and name not in leaving]
        if leaving and len(left) < self.options["keep_up"]:
            raise HaproxyError(
                f"backend {self.backend} would keep {len(left)} servers up, "
                f"at least {self.options['keep_up']} must stay"
            )

    def _take_out(self, leaving: list[str]) -> None:
        for name in leaving:
            self._set(name, "drain")
        deadline = time.monotonic() + self.options["drain"]
        while leaving and time.monotonic() < deadline:
            servers = self.haproxy.servers(self.backend)
            if not any(servers[name].sessions for name in leaving):
                break
            time.sleep(0.05)
        for name in leaving:
            if self.changes[name] == "maint":
                self._set(name, "maint")

    def save(self, path: str) -> None:
        """Write what HAProxy reads at its next start or reload."""
        state = self.haproxy.ask("show servers state")
        write_privately(path, state.encode())


def wanted_modes(module: Any, memory: Memory) -> dict[str, str]:
    if module.params["state"] == "restored":
        return memory.recall() or {}
    wanted = {str(name): str(mode) for name, mode in (module.params["servers"] or {}).items()}
    wrong = sorted(set(wanted.values()) - set(MODES))
    if wrong:
        raise HaproxyError(f"{', '.join(wrong)}: not a mode, choose from {', '.join(MODES)}")
    return wanted


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "socket": {"type": "path", "default": "/run/haproxy/admin.sock"},
            "backend": {"type": "str", "required": True},
            "servers": {"type": "dict"},
            "state": {"type": "str", "default": "present", "choices": ["present", "restored"]},
            "wait": {"type": "float", "default": 10},
            "drain": {"type": "float", "default": 10},
            "keep_up": {"type": "int", "default": 1},
            "state_file": {"type": "path"},
            "remember": {"type": "path"},
        },
        required_if=[("state", "present", ("servers",))],
        supports_check_mode=True,
    )
    memory = Memory(module.params["remember"])
    try:
        wanted = wanted_modes(module, memory)
        if not wanted:
            module.exit_json(changed=False, before={}, after={})
        switch = Switch(module.params, wanted)
        if not module.check_mode:
            carry_out(module, switch, memory)
    except (HaproxyError, MemoryRefused) as error:
        module.fail_json(msg=str(error))
    module.exit_json(
        changed=bool(switch.changes),
        before=switch.before,
        after=wanted,
        diff={"before": lines(switch.before), "after": lines(wanted)},
    )


def carry_out(module: Any, switch: Switch, memory: Memory) -> None:
    options = module.params
    if options["state"] == "restored":
        down = switch.undo()
        if down:
            module.warn(down)
        memory.forget()
    else:
        memory.remember(switch.before)
        switch.make()
    if options["state_file"] and switch.changes:
        switch.save(options["state_file"])


def lines(modes: dict[str, str]) -> str:
    return "".join(f"{name} {mode}\n" for name, mode in sorted(modes.items()))


if __name__ == "__main__":
    main()
