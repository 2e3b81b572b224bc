"""The project of a trial: rulebook, playbooks, configuration, and the Ansible it runs with."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.servers.base import free_port

HERE = Path(__file__).parent
TOKEN = "let-me-in"  # noqa: S105 - of a throw-away engine on loopback
ACTOR = "actor"
"""The host on which playbooks of `run_playbook` actions run."""

# Nothing is held back however badly a solution does: what a crash does to healings is the question.
NO_RAILS: dict[str, Any] = {
    "limits": [],
    **dict.fromkeys(("cooldown", "settle", "breaker", "flapping", "storm", "ramp_up"), False),
    "targets": {"max_share": None},
    "autonomy": {"demote": False, "propose": False},
}
_EFFECT = "fx/{{ target }}/{{ attempt.id }}/%s/{{ fault.labels.%s }}/{{ fault.labels.ms }}/xf"
_PLAYBOOK = """
- hosts: all
  gather_facts: false
  tasks:
    - name: effect
      ansible.builtin.command:
        argv: [{python}, -IS, {effect}, {folder}, {what}, "{{{{ effect }}}}"]
"""


@dataclass(frozen=True, slots=True)
class Site:
    """A project folder, ready for an engine."""

    folder: Path
    """The project."""
    python: str
    """What runs the engine; the Ansible beside it is the one that is used."""
    env: dict[str, str]
    """The engine's environment. Its PATH names the folder, which marks every process of it."""
    alerts: int
    """Port of the Alertmanager source."""
    hooks: int
    """Port of the webhook source."""

    @property
    def database(self) -> Path:
        """The record."""
        return self.folder / ".selfheal" / "selfheal.db"

    def mended(self, key: str) -> bool:
        """Tell whether the fault of that key is gone."""
        return (self.folder / "world" / key).exists()


def write_site(
    folder: Path,
    hosts: Iterable[str],
    *,
    receiver: int,
    real: bool,
    join_engine: str,
    at_once: int | None = None,
) -> Site:
    """Write the project of a trial; `hosts` are those of its inventory.

    With `at_once` no more healings than that run side by side, and a target rests between two."""
    alerts, hooks = free_port(), free_port()
    config = _config(receiver, join_engine)
    if at_once:
        limit = {"per": "global", "max": at_once, "at_once": True}
        config["rails"] = {**NO_RAILS, "limits": [limit], "settle": "500ms"}
    rulesets = _rulesets(alerts, hooks, receiver)
    return lay_out(folder, [*hosts, ACTOR], rulesets, config, alerts=alerts, hooks=hooks, real=real)


def lay_out(
    folder: Path,
    hosts: Iterable[str],
    rulesets: list[dict[str, Any]],
    config: dict[str, Any],
    *,
    alerts: int,
    hooks: int,
    real: bool,
) -> Site:
    """Write a project whose playbooks `do.yml`, `undo.yml` and `act.yml` log what they do."""
    for name in ("bin", "playbooks", "rulebooks", "world"):
        (folder / name).mkdir(parents=True)
    lines = [f"{host} ansible_connection=local\n" for host in hosts]
    (folder / "inventory").write_text("".join(lines))
    shutil.copy(HERE / "effect.py", folder / "bin")
    interpreter = Path(sys.executable).resolve()
    for what in ("do", "undo", "act"):
        text = _PLAYBOOK.format(
            python=interpreter, effect=folder / "bin" / "effect.py", folder=folder, what=what
        )
        (folder / "playbooks" / f"{what}.yml").write_text(text)
    config = {"vars": {"world": str(folder / "world")}, "rails": NO_RAILS, **config}
    (folder / "selfheal.yml").write_text(json.dumps(config))
    (folder / "rulebooks" / "rules.yml").write_text(json.dumps(rulesets))
    python = sys.executable if real else _stand_in(folder, interpreter)
    return Site(folder, python, _environment(folder), alerts, hooks)


def _stand_in(folder: Path, interpreter: Path) -> str:
    """The engine takes the Ansible beside its Python: give it a Python with ours beside it."""
    (folder / "bin" / "python").symlink_to(interpreter)
    for name in ("ansible-playbook", "ansible-inventory"):
        program = folder / "bin" / name
        text = (HERE / "stand_in.py").read_text()
        program.write_text(f"#!{interpreter} -IS\n{text}")
        program.chmod(0o755)
    return str(folder / "bin" / "python")


def _environment(folder: Path) -> dict[str, str]:
    path = os.pathsep.join([str(folder / "bin"), os.environ.get("PATH", os.defpath)])
    packages = os.pathsep.join(one for one in sys.path if one)
    home = os.environ.get("HOME", str(folder))
    return {"PATH": path, "PYTHONPATH": packages, "HOME": home, "LC_ALL": "C.UTF-8"}


def _config(receiver: int, join_engine: str) -> dict[str, Any]:
    return {
        "join_engine": join_engine,
        "drain_timeout": "10s",
        # Faults are made on purpose here: nobody is asked, however badly a solution does.
        "approval": {"confidence": 0.0},
        # The harness counts each call; bundles of them have tests of their own.
        "notify": {
            "webhooks": [{"url": f"http://127.0.0.1:{receiver}/told"}],
            "bundle": False,
        },
    }


def _rulesets(alerts: int, hooks: int, receiver: int) -> list[dict[str, Any]]:
    alert_rule = {
        "name": "alert",
        "condition": 'event.alert.status == "firing"',
        "action": {"heal": _heal("event.alert.labels")},
    }
    hook_rule = {
        "name": "hook",
        "condition": 'event.payload.kind == "hook"',
        "action": {
            "heal": {**_heal("event.payload"), "starts_at": "{{ event.payload.starts_at }}"}
        },
    }
    source = {"host": "127.0.0.1", "token": TOKEN}
    return [
        {
            "name": "alerts",
            "hosts": "all",
            "sources": [{"alertmanager": {**source, "port": alerts, "skip_original_data": True}}],
            "rules": [alert_rule],
            "solutions": [one for family in _families(receiver) for one in family],
        },
        {
            "name": "hooks",
            "hosts": ACTOR,
            "execution_strategy": "parallel",
            "sources": [{"eda.builtin.webhook": {**source, "port": hooks}}],
            "rules": [hook_rule, *_acting_rules()],
        },
    ]


def _heal(place: str) -> dict[str, Any]:
    labels = {name: f"{{{{ {place}.{name} }}}}" for name in ("r1", "r2", "ms")}
    return {
        "fault": "connection_failure",
        "severity": "error",
        "component": f"{{{{ {place}.component }}}}",
        "target": f"{{{{ {place}.target }}}}",
        "root_cause": f"{{{{ {place}.family }}}}",
        "message": "made by the crash benchmark",
        "labels": labels,
    }


def _acting_rules() -> list[dict[str, Any]]:
    def kind(name: str) -> str:
        return f'event.payload.kind == "{name}"'

    pair = [
        'events.a << event.payload.kind == "pair" and event.payload.half == 1',
        "events.b << event.payload.half == 2 and event.payload.key == events.a.payload.key",
    ]
    group = {"group_by_attributes": ["event.payload.key"]}
    return [
        {"name": "act", "condition": kind("act"), "action": _act("event")},
        {
            "name": "pair",
            "condition": {"all": pair, "timeout": "10 minutes"},
            "action": _act("events.a"),
        },
        {
            "name": "within",
            "condition": kind("within"),
            "throttle": {"once_within": "1 hour", **group},
            "action": _act("event"),
        },
        {
            "name": "after",
            "condition": kind("after"),
            "throttle": {"once_after": "4 seconds", **group},
            "action": _act("event"),
        },
        {
            "name": "third",
            "condition": kind("third"),
            "throttle": {"accumulate_within": "1 hour", "threshold": 3, **group},
            "action": _act("event"),
        },
    ]


def _act(place: str) -> dict[str, Any]:
    spec = f"fx/{{{{ {place}.payload.key }}}}/-/act/ok/{{{{ {place}.payload.ms }}}}/xf"
    return {"run_playbook": {"name": "act.yml", "extra_vars": {"effect": spec}}}


def _families(receiver: int) -> list[list[dict[str, Any]]]:
    by_command = {"command": {"argv": "test -e {{ vars.world }}/{{ target }}"}}
    by_http = {"http": {"url": f"http://127.0.0.1:{receiver}/mended/{{{{ target }}}}"}}
    asked = _family("asked", by_command, idempotent=False)
    asked[0]["risk"] = "high"
    return [
        _family("plain", by_command, idempotent=False),
        _family("again", by_http, idempotent=True),
        _family("named", by_http, idempotent=False, locks=["haproxy:web"]),
        asked,
    ]


def _family(
    name: str, proof: dict[str, Any], *, idempotent: bool, **more: Any
) -> list[dict[str, Any]]:
    def step(title: str, rung: str) -> dict[str, Any]:
        return {
            "name": title,
            "playbook": "do.yml",
            "rollback": "undo.yml",
            "vars": {"effect": _EFFECT % (title, rung)},
            "limit": "{{ target }}",
            "timeout": "5m",
            "idempotent": idempotent,
        }

    common = {
        "root_cause": name,
        "risk": "low",
        "validate": [{**proof, "within": "600ms", "interval": "50ms"}],
        **more,
    }
    first = [step("prepare", "r1"), step("fix", "r1")]
    return [
        {"name": f"first-{name}", "strategy": "quick_fix", "steps": first, **common},
        {
            "name": f"second-{name}",
            "strategy": "standard",
            "steps": [step("replace", "r2")],
            **common,
        },
    ]
