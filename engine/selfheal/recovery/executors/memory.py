"""The in-memory twin of `AnsibleRunner`: for tests of yours and ours."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from selfheal.clock import Clock, SystemClock
from selfheal.errors import ExecutionError
from selfheal.model import PlaybookRequest, PlaybookResult, StepState, TaskResult


@dataclass(frozen=True, slots=True)
class Reply:
    """What a playbook does when it is run."""

    state: StepState = StepState.SUCCESSFUL
    """How it ends by itself."""
    seconds: float = 0.0
    """How long it takes; infinite: until it is ended."""
    message: str = ""
    """Why it failed."""
    tasks: tuple[TaskResult, ...] = ()
    """The tasks it reports."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """The facts it sets."""
    error: str = ""
    """Not empty: it can't be started, and `run` raises ExecutionError with this text."""
    effect: Callable[[PlaybookRequest], None] | None = None
    """Called when it ends by itself: changes the world of the test."""


FAILS = Reply(StepState.FAILED, message="it failed")
HANGS = Reply(seconds=float("inf"))


class MemoryRunner:
    """Implements `ports.PlaybookRunner` without Ansible.

    `script` says what each playbook does, by name (a module by its own): one reply, or several in
    turn of which the last one stays. What is not in it succeeds at once. `requests` holds
    everything that was asked for; `artifacts` how each run ended; `known_hosts`, with `groups`
    (name to hosts), is the inventory.
    """

    def __init__(
        self,
        script: Mapping[str, Reply | Sequence[Reply]] | None = None,
        *,
        clock: Clock | None = None,
        known_hosts: Sequence[str] = (),
        groups: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        self.artifacts: dict[str, PlaybookResult] = {}
        self._groups = {name: frozenset(hosts) for name, hosts in (groups or {}).items()}
        self.requests: list[PlaybookRequest] = []
        self.known_hosts = frozenset(known_hosts)
        self._clock = clock or SystemClock()
        self._script = {
            name: [reply] if isinstance(reply, Reply) else list(reply)
            for name, reply in (script or {}).items()
        }
        self._running: dict[str, asyncio.Event] = {}

    @property
    def playbooks(self) -> list[str]:
        """Names of the playbooks and modules that were run, in order."""
        return [request.playbook or request.module for request in self.requests]

    async def run(
        self, request: PlaybookRequest, on_task: Callable[[TaskResult], None] | None = None
    ) -> PlaybookResult:
        """See `ports.PlaybookRunner.run`."""
        self.requests.append(request)
        reply = self._next_reply(request.playbook or request.module)
        if reply.error:
            raise ExecutionError(reply.error)
        started_at = self._clock.now()
        state = await self._wait(request, reply)
        ended = state is reply.state
        if ended and reply.effect:
            reply.effect(request)
        if ended and on_task:
            for task in reply.tasks:
                on_task(task)
        result = self.artifacts[request.ident] = PlaybookResult(
            ident=request.ident,
            state=state,
            rc={StepState.SUCCESSFUL: 0, StepState.FAILED: 2}.get(state),
            started_at=started_at,
            ended_at=self._clock.now(),
            tasks=reply.tasks if ended else (),
            message=reply.message if ended else state.value,
            facts=reply.facts if ended else {},
        )
        return result

    async def cancel(self, ident: str) -> bool:
        """See `ports.PlaybookRunner.cancel`."""
        if stop := self._running.get(ident):
            stop.set()
        return stop is not None

    def find_artifact(self, ident: str) -> PlaybookResult | None:
        """See `ports.PlaybookRunner.find_artifact`."""
        return self.artifacts.get(ident)

    async def end_orphans(self, living: Collection[str]) -> Mapping[str, int]:
        """There are none: a run here is a task of this process."""
        return {}

    async def hosts(self, inventory: str = "") -> frozenset[str]:
        """Return `known_hosts`."""
        return self.known_hosts

    async def hosts_of(self, pattern: str, inventory: str = "") -> tuple[str, ...]:
        """Return the hosts of a list of names of hosts and groups; `all` are all of them."""
        groups = {"all": self.known_hosts, **self._groups}
        found = {host for name in pattern.split(",") for host in groups.get(name, [name])}
        return tuple(sorted(found & self.known_hosts))

    async def groups(self, inventory: str = "") -> Mapping[str, frozenset[str]]:
        """Return the groups that were given."""
        return self._groups

    def _next_reply(self, name: str) -> Reply:
        replies = self._script.get(name) or [Reply()]
        return replies.pop(0) if len(replies) > 1 else replies[0]

    async def _wait(self, request: PlaybookRequest, reply: Reply) -> StepState:
        """Return how the run ends: by itself, at its time limit, or by a cancel."""
        stop = self._running[request.ident] = asyncio.Event()
        seconds = min(reply.seconds, request.timeout)
        timer = asyncio.ensure_future(self._clock.sleep(seconds))
        cancel = asyncio.ensure_future(stop.wait())
        try:
            await asyncio.wait({timer, cancel}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            del self._running[request.ident]
            timer.cancel()
            cancel.cancel()
        if stop.is_set():
            return StepState.CANCELLED
        return StepState.TIMEOUT if reply.seconds > request.timeout else reply.state
