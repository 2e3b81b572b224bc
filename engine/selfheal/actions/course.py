"""The course of one firing: its actions in order, each one's begin and end on record.

After a crash it is taken up where it stopped. An action that may be repeated is; a playbook's end
is read from its artifacts; of anything else that was begun nobody knows whether it happened: that
is said to a human, and it is not done again. While the record takes no writes the firing waits
where it is, still pending on record; what was done in the world is not done again for it.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import replace
from functools import partial

from selfheal.actions.context import ActionContext, ActionResult, ActionStatus, Services
from selfheal.actions.recorded import until_recorded
from selfheal.actions.registry import ACTIONS, ADOPTED, MESSAGE_ACTIONS, REPEATABLE
from selfheal.actions.steering import refuse_steering
from selfheal.errors import SelfhealError, StoreError
from selfheal.model import ActionSpec, Firing, FiringState, Kind, Rule, Ruleset, Unfinished
from selfheal.templates import render

log = logging.getLogger(__name__)

_UNKNOWN = "the engine ended while it ran; whether it happened is unknown, it is not repeated"
_BEGUN_ANEW = REPEATABLE | {"shutdown"}
"""Those that are begun anew when the record refuses what they write."""


class Course:
    """Runs the actions of firings."""

    def __init__(self, ruleset: Ruleset, services: Services) -> None:
        self._hosts = ruleset.hosts
        self._services = services

    async def run(self, left: Unfinished, rule: Rule) -> list[ActionResult]:
        """Run what is left of the firing; return how those actions ended."""
        results: list[ActionResult] = []
        begun, note = left.begun, left.note
        for index in range(left.next_action, len(rule.actions)):
            context = ActionContext(left.firing, self._hosts, self._services, index, begun)
            result = await self._run_one(rule.actions[index], context)
            results.append(result)
            if result.status is ActionStatus.UNKNOWN:
                note = f"{note}; {result.message}" if note else result.message
                await until_recorded(context, partial(self._tell_human, context, result))
            last = result.last or index == len(rule.actions) - 1
            await until_recorded(context, partial(self._record, context, result, note, last=last))
            if last:
                break
            begun = ""
        if not results:
            context = ActionContext(left.firing, self._hosts, self._services)
            await until_recorded(context, partial(self._end, context, note))
        return results

    async def broke_off(self, firing: Firing, error: Exception) -> None:
        """Tell a human that the rest of a firing is not acted on before the next start."""
        await self._services.human(
            f"the actions of rule “{firing.rule}” of “{firing.ruleset}” broke off",
            f"{type(error).__name__}: {error}\nThe next start of the engine takes them up. Other "
            "firings go on.",
            {"firing": firing.id, "ruleset": firing.ruleset, "rule": firing.rule},
        )

    async def _run_one(self, spec: ActionSpec, context: ActionContext) -> ActionResult:
        try:
            result = await self._call(spec, context)
        except asyncio.CancelledError:
            stopped = ActionResult(ActionStatus.CANCELLED, "the engine ended", action=spec.name)
            with suppress(StoreError):  # the firing is pending on record, which says enough
                self._tell(context, stopped)
            raise
        except StoreError as error:
            # Tried long enough, while the record took other writes: the next actions go on.
            result = ActionResult(ActionStatus.FAILED, str(error), action=spec.name)
            await self._tell_human(context, result)
        except SelfhealError as error:
            result = ActionResult(ActionStatus.FAILED, str(error))
        except Exception as error:
            log.exception("%s: action %s", spec.place, spec.name)
            result = ActionResult(ActionStatus.FAILED, f"{type(error).__name__}: {error}")
        return replace(result, action=spec.name)

    async def _call(self, spec: ActionSpec, context: ActionContext) -> ActionResult:
        if spec.name not in REPEATABLE | ADOPTED:
            if context.begun:
                stops = spec.name == "shutdown"
                return ActionResult(ActionStatus.UNKNOWN, f"{spec.name}: {_UNKNOWN}", last=stops)
            await until_recorded(context, partial(self._begin, context))
        # What becomes an event or a fact is compared by conditions, which tell 86 from "86".
        literals = spec.name in MESSAGE_ACTIONS
        args = render(spec.args, context.template_variables, literals=literals)
        refuse_steering(spec.name, spec.args, args, context.template_variables)
        act = partial(ACTIONS[spec.name], args, context)
        # The others do in the world what is not repeated: they wait for the record themselves.
        return await (until_recorded(context, act) if spec.name in _BEGUN_ANEW else act())

    async def _begin(self, context: ActionContext) -> None:
        if self._services.firings:
            self._services.firings.begin_action(context.firing.id, context.index, "begun")

    async def _end(self, context: ActionContext, note: str) -> None:
        if self._services.firings:
            self._services.firings.end_firing(context.firing.id, FiringState.DONE, note)

    async def _record(
        self, context: ActionContext, result: ActionResult, note: str, *, last: bool
    ) -> None:
        """Tell the end of an action and move on, both or none."""
        firings, firing = self._services.firings, context.firing
        with self._transaction():
            self._tell(context, result)
            if firings and last:
                state = FiringState.UNKNOWN if note else FiringState.DONE
                firings.end_firing(firing.id, state, note)
            elif firings:
                firings.advance_firing(firing.id, context.index + 1, note)

    def _transaction(self) -> AbstractContextManager[None]:
        firings = self._services.firings
        return firings.transaction(durable=False) if firings else nullcontext()

    async def _tell_human(self, context: ActionContext, result: ActionResult) -> None:
        firing = context.firing
        await self._services.human(
            f"{result.status.value}: {result.action} of rule “{firing.rule}”",
            f"{result.message}\nLook whether it happened. The rule's later actions go on.",
            {"firing": firing.id, "ruleset": firing.ruleset, "rule": firing.rule, **result.data},
        )

    def _tell(self, context: ActionContext, result: ActionResult) -> None:
        firing: Firing = context.firing
        text = f"{result.action} of rule “{firing.rule}”: {result.status.value}"
        if result.message:
            text += f": {' '.join(result.message.split())}"
            log.warning("%s", text)
        self._services.timeline.tell(
            Kind.ACTION,
            text,
            data={
                "ruleset": firing.ruleset,
                "rule": firing.rule,
                "firing": firing.id,
                "event_ids": list(firing.event_ids),
                "index": context.index,
                "action": result.action,
                "status": result.status.value,
                "message": result.message,
                **result.data,
            },
        )
