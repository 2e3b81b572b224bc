"""run_playbook: run a playbook on the hosts the event names, else on the ruleset's."""

from __future__ import annotations

from pathlib import PurePath
from typing import Any

from selfheal.actions.ansible_run import RecordedRun, as_action_result
from selfheal.actions.arguments import Args, text, whole
from selfheal.actions.context import ActionContext, ActionResult, ActionStatus
from selfheal.actions.run_options import hand_on, read_options, run_with_retries
from selfheal.model import PlaybookRequest, PlaybookResult


async def run(args: Args, context: ActionContext) -> ActionResult:
    """Run `name`; with `set_facts` or `post_events` its facts go to a ruleset."""
    name = text(args, "name")
    options = read_options(args, context)
    request = PlaybookRequest(
        ident="",
        playbook=name,
        extra_vars=options.extra_vars,
        limit=",".join(context.hosts),
        timeout=options.timeout,
        verbosity=min(whole(args, "verbosity"), 4),
    )
    brought: dict[str, Any] = {}

    run_recorded = RecordedRun(request, context)

    async def once() -> ActionResult:
        result = await run_recorded.once()
        brought.clear()
        brought.update(_facts(result))
        return as_action_result(PurePath(name).name, result)

    result = await run_with_retries(options, context, once)
    if result.status is ActionStatus.SUCCESSFUL:
        await hand_on(brought, "playbook", "run_playbook", options, context)
    return result


def _facts(result: PlaybookResult) -> dict[str, Any]:
    """The facts the run set, and the statistics of `set_stats`."""
    facts = dict(result.facts)
    for task in result.tasks:
        statistics = task.result.get("ansible_stats")
        if isinstance(statistics, dict) and isinstance(statistics.get("data"), dict):
            facts.update(statistics["data"])
    return facts
