"""Which failed runs changed nothing on any host, so that there is nothing to undo."""

from __future__ import annotations

import re

from selfheal.model import PlaybookResult, StepState, TaskResult

# Ansible ended by itself: nothing to do, or hosts unreachable (also: the playbook does not parse).
_ENDED = (0, 4)
_NO_EFFECT = ("dark", "skipped")
# A connection lost in the middle of a task is `unreachable` to Ansible as well: only these say
# that there was none.
_NO_CONNECTION = re.compile(
    r"connect to host|Could not resolve hostname|Host key verification failed|Permission denied \("
    r"|Failed to create temporary directory"
)
# What Ansible says, before any play, of a limit that no host of the inventory fits.
_NO_HOSTS = re.compile(r"no hosts to target|does not match any hosts")


def changed_nothing(result: PlaybookResult) -> bool:
    """Tell whether a failed run reached no host at all; in doubt it did."""
    if result.state is not StepState.FAILED:
        return False
    if not result.tasks and not result.stats and _NO_HOSTS.search(result.message):
        return True
    if result.rc not in _ENDED:
        return False
    counted = any(
        number
        for counts in result.stats.values()
        for name, number in counts.items()
        if name not in _NO_EFFECT
    )
    return not counted and all(_had_no_effect(task) for task in result.tasks)


def _had_no_effect(task: TaskResult) -> bool:
    if task.status == "skipped":
        return True
    # Of a loop some items may have gone through before the host was lost.
    in_a_loop = "results" in task.result
    lost = task.status == "unreachable" and not in_a_loop
    return lost and _NO_CONNECTION.search(task.message) is not None
