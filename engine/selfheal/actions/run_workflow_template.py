"""run_workflow_template: run a workflow template on AWX or AAP."""

from __future__ import annotations

from selfheal.actions.arguments import Args
from selfheal.actions.context import ActionContext, ActionResult
from selfheal.actions.controller_job import TemplateKind, run_template

_KIND = TemplateKind("run_workflow_template", "workflow_job_template", "workflow", "name")


async def run(args: Args, context: ActionContext) -> ActionResult:
    """Launch `name` of `organization` with `job_args` and wait for its end."""
    return await run_template(_KIND, args, context)
