"""Job and workflow templates: launch, wait, hand on what the job brought."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from selfheal.actions.arguments import Args, flag, mapping, text
from selfheal.actions.context import ActionContext, ActionResult, ActionStatus
from selfheal.actions.controller import ControllerSession, connect
from selfheal.actions.run_options import RunOptions, hand_on, read_options, run_with_retries
from selfheal.errors import ActionError


@dataclass(frozen=True, slots=True)
class TemplateKind:
    """What tells the two actions apart."""

    action: str
    """The action."""
    api_type: str
    """The template's `type` in the API."""
    title: str
    """What its results are printed under."""
    name_key: str
    """What the result calls the template."""


async def run_template(kind: TemplateKind, args: Args, context: ActionContext) -> ActionResult:
    """Launch the template and wait for the end of its job."""
    controller = context.services.controller
    if controller is None:
        raise ActionError("no controller is configured: set EDA_CONTROLLER_URL and its token")
    name, organization = text(args, "name"), text(args, "organization")
    options = read_options(args, context)
    body = _body(args, options, context)
    artifacts: dict[str, Any] = {}

    async with connect(controller) as session:

        async def once() -> ActionResult:
            job = await _run_job(session, kind, name, organization, body, options, context)
            artifacts.clear()
            artifacts.update(_artifacts(job))
            return _result(kind, name, organization, job)

        result = await run_with_retries(options, context, once)
    if result.status is ActionStatus.SUCCESSFUL:
        await hand_on(artifacts, kind.title, kind.action, options, context)
    return result


async def _run_job(
    session: ControllerSession,
    kind: TemplateKind,
    name: str,
    organization: str,
    body: Mapping[str, Any],
    options: RunOptions,
    context: ActionContext,
) -> Mapping[str, Any]:
    template = await session.find_template(name, organization, kind.api_type)
    job = await session.launch(template, body)
    return await session.wait(job, options.timeout, context.services.clock)


def _body(args: Args, options: RunOptions, context: ActionContext) -> dict[str, Any]:
    """`job_args`, with the event among its extra variables and the hosts as its limit."""
    body = mapping(args, "job_args")
    extra_vars = mapping(body, "extra_vars")
    if flag(args, "include_events", True):
        extra_vars["ansible_eda"] = options.extra_vars["ansible_eda"]
    return {"limit": ",".join(context.hosts), **body, "extra_vars": extra_vars}


def _artifacts(job: Mapping[str, Any]) -> Mapping[str, Any]:
    artifacts = job.get("artifacts")
    return artifacts if isinstance(artifacts, Mapping) else {}


def _result(
    kind: TemplateKind, name: str, organization: str, job: Mapping[str, Any]
) -> ActionResult:
    result = ActionResult(
        data={
            kind.name_key: name,
            "organization": organization,
            "controller_job_id": job.get("id"),
        }
    )
    if job.get("status") == "successful":
        return result
    why = str(job.get("job_explanation") or job.get("status"))[:300]
    return replace(result, status=ActionStatus.FAILED, message=f"{name}: {why}")
