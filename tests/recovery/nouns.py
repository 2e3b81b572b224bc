"""Short ways to make the nouns of recovery."""

from __future__ import annotations

from typing import Any

from selfheal.model import Healing, HealingState, Risk, Solution, Step, Strategy, Validation


def http(**kwargs: Any) -> Validation:
    return Validation("http", {"url": "http://127.0.0.1:1/"}, **kwargs)


def step_of(name: str, **kwargs: Any) -> Step:
    """Return a step with playbook `<name>.yml` and rollback `<name>.undo.yml`."""
    return Step(name, f"{name}.yml", **{"rollback": f"{name}.undo.yml", **kwargs})


def solution_of(name: str = "quick", **kwargs: Any) -> Solution:
    """Return a solution of one step `<name>` and one validation."""
    values: dict[str, Any] = {
        "root_cause": "*",
        "strategy": Strategy.QUICK_FIX,
        "risk": Risk.LOW,
        "steps": (step_of(name),),
        "validate": (http(),),
    }
    return Solution(name, **{**values, **kwargs})


def healing_of(*ladder: Solution, **kwargs: Any) -> Healing:
    """Return a queued healing of no fault."""
    values: dict[str, Any] = {
        "id": "he-1",
        "incident_id": "",
        "fault_id": "",
        "resource": "web1",
        "state": HealingState.QUEUED,
        "context": {"target": "web1", "component": "web", "fault": {}, "event": {}, "vars": {}},
        "created_at": 0.0,
    }
    return Healing(ladder=ladder, **{**values, **kwargs})
