"""run_job_template: run a job template on AWX or AAP."""

from __future__ import annotations

from selfheal.actions.arguments import Args
from selfheal.actions.context import ActionContext, ActionResult
from selfheal.actions.controller_job import TemplateKind, run_template

_KIND = TemplateKind("run_job_template", "job_template", "job", "job_template_name")


async def run(args: Args, context: ActionContext) -> ActionResult:
    """Launch `name` of `organization` with `job_args` and wait for its end."""
    return await run_template(_KIND, args, context)
