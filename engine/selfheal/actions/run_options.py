"""What run_playbook, run_module and the job templates have in common."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from selfheal.actions.arguments import Args, flag, mapping, seconds, text, whole
from selfheal.actions.context import ActionContext, ActionResult, ActionStatus
from selfheal.actions.display import banner, pretty
from selfheal.actions.internal_event import internal_event
from selfheal.actions.key_path import narrow
from selfheal.actions.recorded import until_recorded

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RunOptions:
    """The arguments that say how to run, not what."""

    retries: int
    """How often a failed run is tried again."""
    delay: float
    """Seconds before each of them."""
    lock: str
    """Name of the lock it holds meanwhile, retries included; empty: none."""
    set_facts: bool
    """What a successful run brings becomes a fact."""
    post_events: bool
    """What a successful run brings becomes an event."""
    ruleset: str
    """The ruleset that gets them."""
    timeout: float
    """Seconds for one try."""
    extra_vars: Mapping[str, Any]
    """The action's variables and `ansible_eda`."""


def read_options(args: Args, context: ActionContext) -> RunOptions:
    """Return the common arguments. Raises ActionError."""
    firing = context.firing
    matches = narrow(context.matches, args.get("var_root"))
    about = {"ruleset": firing.ruleset, "rule": firing.rule, **matches}
    return RunOptions(
        retries=whole(args, "retries", 1 if flag(args, "retry") else 0),
        delay=seconds(args, "delay"),
        lock=text(args, "lock", ""),
        set_facts=flag(args, "set_facts"),
        post_events=flag(args, "post_events"),
        ruleset=text(args, "ruleset", firing.ruleset),
        timeout=seconds(args, "timeout", 3600.0),
        extra_vars={**mapping(args, "extra_vars"), "ansible_eda": about},
    )


async def run_with_retries(
    options: RunOptions, context: ActionContext, once: Callable[[], Awaitable[ActionResult]]
) -> ActionResult:
    """Call `once` until it succeeds or the retries are used up, holding the lock."""
    async with context.services.locks.hold(options.lock):
        result = await once()
        for number in range(1, options.retries + 1):
            if result.status in (ActionStatus.SUCCESSFUL, ActionStatus.UNKNOWN):
                break  # what may have happened is not tried again
            log.warning("%s; retry %d of %d", result.message, number, options.retries)
            await context.services.clock.sleep(options.delay)
            result = await once()
        return result


async def hand_on(
    brought: Mapping[str, Any], title: str, action: str, options: RunOptions, context: ActionContext
) -> None:
    """Make a fact or an event of what a run brought, when asked to and when there is anything."""
    if not brought or not (options.set_facts or options.post_events):
        return
    services = context.services
    event = internal_event(brought, action, context)
    banner(services.out, services.clock, f"{title}: set-facts", pretty(event))
    if options.set_facts:
        fact = partial(services.assert_fact, options.ruleset, event, context.origin("fact"))
        await until_recorded(context, fact)
    if options.post_events:
        post = partial(services.post_event, options.ruleset, event, context.origin("event"))
        await until_recorded(context, post)
