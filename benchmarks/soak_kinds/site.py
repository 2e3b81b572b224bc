"""The project of a soak: checks, alerts and a webhook; joins, throttles, ladders, runs by hand."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.servers.base import free_port

from benchmarks.crash_kinds.site import TOKEN, Site, lay_out

ALERTED = tuple(f"a{number}" for number in range(6))
"""Targets that only Alertmanager speaks of."""
_EFFECT = "fx/{{ target }}/{{ attempt.id }}/fix/%s/20/xf"
_ACT = "fx/%s/-/act/ok/10/xf"


def write_site(folder: Path, ports: Mapping[str, int]) -> Site:
    """Write the project; `ports` are those of the servers that break."""
    alerts, hooks = free_port(), free_port()
    listening = {"host": "127.0.0.1", "token": TOKEN}
    watched = [
        {"target": f"127.0.0.1:{port}", "component": "web", "hosts": [name]}
        for name, port in ports.items()
    ]
    rulesets: list[dict[str, Any]] = [
        {
            "name": "checks",
            "hosts": "all",
            "sources": [
                {"selfheal.tcp_check": {"targets": watched, "interval": "250ms"}},
                {"alertmanager": {**listening, "port": alerts}},
            ],
            "rules": _fault_rules(),
            "solutions": _solutions(),
        },
        {
            "name": "hooks",
            "hosts": "actor",
            "execution_strategy": "parallel",
            # Halves of pairs wait for the other as long as this; two hours would outlast the soak.
            "default_events_ttl": "30 seconds",
            "sources": [{"eda.builtin.webhook": {**listening, "port": hooks}}],
            "rules": _hook_rules(),
        },
    ]
    config = {"approval": {"confidence": 0.0}, "drain_timeout": "10s"}
    hosts = [*ports, *ALERTED, "actor"]
    return lay_out(folder, hosts, rulesets, config, alerts=alerts, hooks=hooks, real=False)


def _fault_rules() -> list[dict[str, Any]]:
    heal = {"fault": "connection_failure", "component": "web", "root_cause": "web-dead"}
    return [
        {
            "name": "down",
            "condition": 'event.check.status == "down"',
            "action": {"heal": {**heal, "target": "{{ event.meta.hosts[0] }}"}},
        },
        {
            "name": "up",
            "condition": 'event.check.status == "up"',
            "action": {"resolve": {"component": "web", "target": "{{ event.meta.hosts[0] }}"}},
        },
        {
            "name": "alert",
            "condition": 'event.alert.status == "firing"',
            "action": {"heal": heal},
        },
    ]


def _hook_rules() -> list[dict[str, Any]]:
    pair = [
        "events.a << event.payload.half == 1",
        "events.b << event.payload.half == 2 and event.payload.key == events.a.payload.key",
    ]
    act = {"run_playbook": {"name": "act.yml", "extra_vars": {"effect": _ACT % "pair"}}}
    group = {"group_by_attributes": ["event.payload.key"]}
    return [
        {"name": "pair", "condition": {"all": pair, "timeout": "10 seconds"}, "action": act},
        {
            "name": "seldom",
            "condition": "event.payload.noise is defined",
            "throttle": {"once_within": "5 seconds", **group},
            # A fact is kept until it is retracted: without that they would add up.
            "actions": [
                {"retract_fact": {"fact": {"noisy": "{{ event.payload.key }}"}}},
                {"set_fact": {"fact": {"noisy": "{{ event.payload.key }}"}}},
            ],
        },
    ]


def _solutions() -> list[dict[str, Any]]:
    def solution(name: str, strategy: str, mode: str) -> dict[str, Any]:
        step = {
            "playbook": "do.yml",
            "rollback": "undo.yml",
            "vars": {"effect": _EFFECT % mode},
            "limit": "{{ target }}",
            "timeout": "20s",
        }
        proof = {"command": {"argv": "test -e {{ vars.world }}/{{ target }}"}}
        return {
            "name": name,
            "root_cause": "web-*",
            "strategy": strategy,
            "risk": "low",
            "steps": [step],
            "validate": [{**proof, "within": "500ms", "interval": "100ms"}],
        }

    return [solution("useless", "quick_fix", "nofix"), solution("restart", "standard", "ok")]
