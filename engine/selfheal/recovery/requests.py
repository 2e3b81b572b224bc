"""What a step's playbook is given: rendered variables, hosts, options. Hostile values are refused.

Event data may choose among what the author of a rulebook wrote; it may never say which hosts a
pattern means, nor how Ansible connects to them.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from selfheal.errors import ExecutionError
from selfheal.masking import holds_mask
from selfheal.model import Attempt, Healing, PlaybookRequest, Solution, Step
from selfheal.templates import is_template, render

KnownHosts = Callable[[str], Awaitable[Collection[str]]]
"""Names of the hosts of an inventory (empty: the project's)."""

_ALWAYS = ("target", "component", "fault")


def state_root() -> str:
    """Return the folder, on the managed host, under which steps remember what they replaced."""
    return f"/var/tmp/selfheal-{os.geteuid()}"  # noqa: S108  # a name on another host, not our file


@dataclass(frozen=True, slots=True)
class LiveVariables:
    """Fills up what a healing on record lacks: secrets are given anew at each start."""

    variables: Mapping[str, Any] = field(default_factory=dict)
    """The engine's `vars`, secrets included."""
    extra_vars: Mapping[str, Any] = field(default_factory=dict)
    """An operator's extra variables, secrets included."""


def variables_of(
    healing: Healing, attempt: Attempt, live: LiveVariables | None = None
) -> dict[str, Any]:
    """Return what Jinja sees in a solution; what is on record goes before what is live."""
    variables = live.variables if live else {}
    defaults: dict[str, Any] = dict.fromkeys(("target", "component", "root_cause"), "")
    return {
        **defaults,
        "fault": {},
        "event": {},
        **variables,
        **healing.context,
        "vars": {**variables, **healing.context.get("vars", {})},
        "attempt": {
            "id": attempt.id,
            "number": attempt.rung + 1,
            "solution": attempt.solution,
        },
    }


@dataclass(frozen=True, slots=True)
class RequestBuilder:
    """Makes the requests of one attempt."""

    healing: Healing
    """The healing."""
    attempt: Attempt
    """Its open attempt."""
    known_hosts: KnownHosts
    """Answers which hosts there are."""
    live: LiveVariables = field(default_factory=LiveVariables)
    """What the healing on record may lack."""

    @property
    def solution(self) -> Solution:
        """The rung's solution."""
        return self.healing.ladder[self.attempt.rung]

    async def step(self, ident: str, index: int, *, rollback: bool) -> PlaybookRequest:
        """Return the request for a step or its rollback: same variables, same hosts.

        Raises TemplateError, or ExecutionError when event data asks for what it may not."""
        step = self.solution.steps[index]
        context = variables_of(self.healing, self.attempt, self.live)
        return self._request(
            ident,
            step.rollback if rollback else step.playbook,
            {
                **_passed_on(context),
                **self._step_vars(step, context),
                **self._extra_vars(),
                "selfheal_state": f"{state_root()}/{self.attempt.id}-{index}",
            },
            await self._limit(step.limit, render(step.limit, context)),
            step.timeout,
        )

    async def limit(self, index: int) -> str:
        """Return the pattern of the hosts that a step runs on; empty: all of the play's hosts.

        Raises TemplateError, ExecutionError."""
        raw = self.solution.steps[index].limit
        context = variables_of(self.healing, self.attempt, self.live)
        return await self._limit(raw, render(raw, context))

    async def check(
        self, ident: str, playbook: str, rendered: Mapping[str, Any], raw_limit: str, limit: str
    ) -> PlaybookRequest:
        """Return the request for a validation of kind `playbook`, its arguments rendered."""
        for name in rendered:
            if name.startswith("ansible_"):
                raise ExecutionError(f"a validation can't set {name}: it says how to connect")
        context = variables_of(self.healing, self.attempt, self.live)
        extra_vars = {
            **_passed_on(context),
            **rendered,
            **self._extra_vars(),
        }
        hosts = await self._limit(raw_limit, limit)
        # The try's own time limit, kept by the validation, ends it earlier.
        return self._request(ident, playbook, extra_vars, hosts, timeout=3600.0)

    def _request(
        self, ident: str, playbook: str, extra_vars: Mapping[str, Any], limit: str, timeout: float
    ) -> PlaybookRequest:
        return PlaybookRequest(
            ident=ident,
            playbook=playbook,
            extra_vars=extra_vars,
            limit=limit,
            timeout=timeout,
            check=bool(self._options("check", False)),
            diff=bool(self._options("diff", False)),
            inventory=str(self._options("inventory", "")),
            verbosity=int(self._options("verbosity", 0)),
        )

    def _extra_vars(self) -> dict[str, Any]:
        return {**self._options("extra_vars", {}), **self.live.extra_vars}

    def _options(self, name: str, default: Any) -> Any:
        return self.healing.options.get(name) or default

    def _step_vars(self, step: Step, context: Mapping[str, Any]) -> dict[str, Any]:
        rendered = {}
        for name, raw in step.vars.items():
            rendered[name] = render(raw, context)
            if holds_mask(rendered[name]):
                raise ExecutionError(
                    f"variable {name} holds a secret that the record does not keep: "
                    "give it as a variable of the engine, and write {{ vars.… }}"
                )
            if name.startswith("ansible_") and rendered[name] != raw:
                raise ExecutionError(
                    f"{name} says how to connect and can't be a template: "
                    "write it out, or put it into the inventory"
                )
        return rendered

    async def _limit(self, raw: str, rendered: Any) -> str:
        """Return the hosts to run on: the operator's, else the step's, else the solution's."""
        if by_hand := self._options("limit", ""):
            return str(by_hand)
        if not raw:
            hosts = ",".join(self.solution.hosts)
            return "" if hosts == "all" else hosts
        limit = str(rendered)
        if is_template(raw) and limit not in await self.known_hosts(
            str(self._options("inventory", ""))
        ):
            raise ExecutionError(
                f"limit {raw!r} became {limit[:100]!r}, which is no host of the inventory"
            )
        return limit


def _passed_on(context: Mapping[str, Any]) -> dict[str, Any]:
    return {name: context[name] for name in _ALWAYS}
