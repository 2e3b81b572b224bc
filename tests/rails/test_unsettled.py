"""Unsettled: after a failed rollback a human looks before anything else is done there."""

from __future__ import annotations

from selfheal.model import IncidentState, Outcome, Refusal, Verdict

from .conftest import Build


def test_nothing_follows_a_failed_rollback_until_a_human_has_closed_it(build: Build) -> None:
    """Another fault of the target stops, and names the incident; closed, it is healed again."""
    world = build()
    broken = world.run(outcome=Outcome.ROLLBACK_FAILED)
    world.record.set_incident_state(broken.incident_id, IncidentState.MANUAL, world.now)
    world.pass_(3600)
    world.restart()
    healing = world.healing(fault=world.fault(rule="slow"))
    refused = world.ask(healing)
    assert refused
    assert (refused.reason, refused.verdict) == (Refusal.UNSETTLED, Verdict.STOP)
    assert f"selfheal incidents close {broken.incident_id}" in refused.detail
    world.record.set_incident_state(broken.incident_id, IncidentState.RESOLVED, world.now)
    assert world.ask(healing) is None


def test_other_targets_and_operators_are_free(build: Build) -> None:
    """What failed on one target says nothing of another, and whoever repairs it may run things."""
    world = build()
    world.run(outcome=Outcome.ROLLBACK_FAILED)
    assert world.ask(world.healing("web2")) is None
    assert world.ask(world.by_hand("web1")) is None
