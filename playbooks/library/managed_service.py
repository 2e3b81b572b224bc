#!/usr/bin/python
"""Ansible module: one service, whatever manages it."""

from __future__ import annotations

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.selfheal_managers import ManagerError, manager_named
from ansible.module_utils.selfheal_memory import Memory, MemoryRefused

DOCUMENTATION = r"""
module: managed_service
short_description: Start, stop, restart or reload a service under supervisord, an init script
  or systemd
description:
- Returns only when the service has arrived in the wanted state; fails with the manager's own
  words otherwise.
options:
  name:
    type: str
    required: true
    description: Program (C(group:name) works too), init script or unit.
  manager:
    type: str
    default: supervisord
    choices:
    - supervisord
    - sysvinit
    - systemd
    description: What keeps the service running.
  state:
    type: str
    required: true
    choices:
    - started
    - stopped
    - restarted
    - reloaded
    - remembered
    - restored
    description:
    - C(reloaded) starts the service when it is not running.
    - C(remembered) only notes in I(remember) whether it runs.
    - C(restored) brings back what I(remember) says, then forgets it; without a memory nothing
      happens.
  remember:
    type: path
    description: File that keeps whether the service ran before the first change.
  once:
    type: bool
    default: false
    description: With C(restarted), restart only once for this I(remember).
  supervisor_url:
    type: str
    default: unix:///run/supervisor.sock
    description: supervisord's RPC interface, C(unix://PATH) or C(http://HOST:PORT).
  init_directory:
    type: path
    default: /etc/init.d
    description: Where init scripts live.
  reload_signal:
    type: str
    default: HUP
    description: The signal that makes a program of supervisord reload.
  timeout:
    type: float
    default: 60
    description: Seconds the manager may take for one verb.
author: The selfheal authors
"""
EXAMPLES = r"""
- managed_service: {name: web, state: started, supervisor_url: "unix:///run/supervisor.sock"}
- managed_service: {name: redis-server, manager: sysvinit, state: restarted}
"""
RETURN = r"""
was_running:
  type: bool
  returned: always
  description: Whether the service ran before.
verbs:
  type: list
  returned: always
  description: What the manager was (or in check mode would be) asked to do.
"""

OPTIONS = {
    "name": {"type": "str", "required": True},
    "manager": {
        "type": "str",
        "default": "supervisord",
        "choices": ["supervisord", "sysvinit", "systemd"],
    },
    "state": {
        "type": "str",
        "required": True,
        "choices": ["started", "stopped", "restarted", "reloaded", "remembered", "restored"],
    },
    "remember": {"type": "path"},
    "once": {"type": "bool", "default": False},
    "supervisor_url": {"type": "str", "default": "unix:///run/supervisor.sock"},
    "init_directory": {"type": "path", "default": "/etc/init.d"},
    "reload_signal": {"type": "str", "default": "HUP"},
    "timeout": {"type": "float", "default": 60},
}


def verbs_for(state: str, running: bool, remembered: bool | None) -> list[str]:
    """What the manager must be asked to do to reach `state`."""
    if state == "restored":
        state = "started" if remembered else "stopped"
    if state == "restarted":
        return ["stop", "start"] if running else ["start"]
    if state == "reloaded":
        return ["reload"] if running else ["start"]
    if state == "started":
        return [] if running else ["start"]
    if state == "stopped":
        return ["stop"] if running else []
    return []


def main() -> None:
    module = AnsibleModule(argument_spec=OPTIONS, supports_check_mode=True)
    options = module.params
    path = options["remember"]
    memory = Memory(path)
    done_before = Memory(path and path + ".restarted")
    if options["state"] == "restored" and memory.recall() is None:
        # Nothing was done, so a manager that is down is no reason to fail.
        module.exit_json(changed=False, was_running=None, verbs=[])
    try:
        manager = manager_named(options["manager"], options)
        running = manager.is_running(options["name"])
        state = options["state"]
        if state == "restarted" and options["once"] and done_before.recall():
            state = "started"
        verbs = verbs_for(state, running, memory.recall())
        if not module.check_mode:
            if state == "restored":
                carry_out(manager, options, verbs)
                memory.forget()
                done_before.forget()
            else:
                memory.remember(running)
                carry_out(manager, options, verbs)
                if state == "restarted":
                    done_before.remember(True)
    except (ManagerError, MemoryRefused) as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=bool(verbs), was_running=running, verbs=verbs)


def carry_out(manager: Any, options: dict[str, Any], verbs: list[str]) -> None:
    for verb in verbs:
        if verb == "reload":
            manager.reload(options["name"], options["reload_signal"])
        else:
            getattr(manager, verb)(options["name"])


if __name__ == "__main__":
    main()
