"""What a run left on disk: read back after a crash, when nobody saw its end."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from selfheal.model import PlaybookResult, StepState
from selfheal.recovery.executors.events import EventLog

_STOPPED = {"timeout": StepState.TIMEOUT, "canceled": StepState.CANCELLED}
_ENDED_BY_US = 254


def read_artifact(folder: Path, ident: str) -> PlaybookResult | None:
    """Return how that run ended; None when the folder does not show an end.

    Ansible killed by a signal (ansible-runner writes `None`) is no end: it may have been killed
    with the engine, and how far the playbook came nobody saw."""
    status, rc = _text(folder / "status"), _text(folder / "rc")
    if not status or not rc:
        return None
    log, created = EventLog(), []
    for event in _events(folder / "job_events"):
        log.take(event)
        created.append(str(event.get("created")))
    ended_at = (folder / "rc").stat().st_mtime
    started_at = _unix_time(created[0]) if created else ended_at
    if state := _STOPPED.get(status):
        return PlaybookResult(
            ident=ident,
            state=state,
            rc=None,
            started_at=started_at,
            ended_at=ended_at,
            tasks=tuple(log.tasks),
            message=f"the run was ended ({state.value})",
        )
    if not rc.isdecimal() or int(rc) == _ENDED_BY_US:
        return None
    output = _text(folder / "stdout")
    return log.result(ident, int(rc), started_at, ended_at, limit="", output=output)


def mark_stopped(folder: Path, state: StepState) -> None:
    """Note that the engine ended the run: ansible-runner saw only that it died."""
    name = next(name for name, known in _STOPPED.items() if known is state)
    if folder.is_dir():
        (folder / "rc").write_text(str(_ENDED_BY_US))
        (folder / "status").write_text(name)


def _events(folder: Path) -> Iterator[dict[str, Any]]:
    numbered = [
        (int(path.name.split("-", 1)[0]), path)
        for path in folder.glob("*.json")
        if path.name.split("-", 1)[0].isdigit() and "partial" not in path.name
    ]
    for _, path in sorted(numbered):
        try:
            event = json.loads(path.read_text())
        except (OSError, ValueError):
            continue  # torn by the crash; the others still tell the story
        if isinstance(event, dict) and "created" in event:
            yield event


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace").strip()
    except OSError:
        return ""


def _unix_time(created: str) -> float:
    return datetime.fromisoformat(created).timestamp()
