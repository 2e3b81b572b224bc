"""Playbooks that outlived the engine that ran them: ended at start-up, and told."""

from __future__ import annotations

from selfheal.model import HealingState, Kind, StepState
from selfheal.ports import PlaybookRunner, Record
from selfheal.recovery.story import Story


async def end_orphans(record: Record, runner: PlaybookRunner) -> None:
    """End every process of every run of an earlier engine, and say so in the timeline.

    Runs of an operator whose process lives are left alone: `reclaim` has ended the others."""
    unfinished = {
        run.ident: (healing, run)
        for healing in record.healings(limit=1_000_000, state=HealingState.RUNNING.value)
        for attempt in healing.attempts
        for run in attempt.steps
        if run.state is StepState.RUNNING
    }
    living = {ident for ident, (one, _) in unfinished.items() if one.origin == "operator"}
    for ident, processes in (await runner.end_orphans(living)).items():
        if ident in unfinished:
            healing, run = unfinished[ident]
            Story(record, healing).orphans_ended(run, processes)
        else:
            text = f"ended {processes} processes of run {ident} that outlived their engine"
            record.tell(Kind.ENGINE, text, data={"ident": ident, "processes": processes})
