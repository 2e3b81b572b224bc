"""run_module: run one Ansible module on the hosts the event names, else on the ruleset's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from selfheal.actions.ansible_run import RecordedRun, as_action_result
from selfheal.actions.arguments import Args, text, whole
from selfheal.actions.context import ActionContext, ActionResult, ActionStatus
from selfheal.actions.run_options import hand_on, read_options, run_with_retries
from selfheal.errors import ActionError
from selfheal.model import PlaybookRequest, PlaybookResult


async def run(args: Args, context: ActionContext) -> ActionResult:
    """Run `name` with `module_args`; `set_facts` and `post_events` hand on its result."""
    name = text(args, "name")
    options = read_options(args, context)
    request = PlaybookRequest(
        ident="",
        playbook="",
        module=name,
        module_args=_module_args(args),
        host_pattern=",".join(context.hosts),
        extra_vars=options.extra_vars,
        timeout=options.timeout,
        verbosity=min(whole(args, "verbosity"), 4),
    )
    brought: dict[str, Any] = {}

    run_recorded = RecordedRun(request, context)

    async def once() -> ActionResult:
        result = await run_recorded.once()
        brought.clear()
        brought.update(_module_result(result))
        return as_action_result(name, result)

    result = await run_with_retries(options, context, once)
    if result.status is ActionStatus.SUCCESSFUL:
        await hand_on(brought, "module", "run_module", options, context)
    return result


def _module_args(args: Args) -> str | Mapping[str, Any]:
    given = args.get("module_args") or {}
    if not isinstance(given, str | Mapping):
        raise ActionError("argument module_args must be a mapping or a text")
    return given


def _module_result(result: PlaybookResult) -> dict[str, Any]:
    """What the module said on the first host, as a playbook would `register` it."""
    if not result.tasks:
        return {}
    said = {"changed": False, "failed": False, **result.tasks[0].result}
    for stream in ("stdout", "stderr"):
        if isinstance(said.get(stream), str):
            said[f"{stream}_lines"] = said[stream].splitlines()
    return said
