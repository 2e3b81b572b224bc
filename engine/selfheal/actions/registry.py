"""Every action by the name that rulebooks use."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from selfheal.actions import (
    debug,
    heal,
    none,
    pg_notify,
    post_event,
    print_event,
    resolve,
    retract_fact,
    run_job_template,
    run_module,
    run_playbook,
    run_workflow_template,
    set_fact,
    shutdown,
)
from selfheal.actions.arguments import Args
from selfheal.actions.context import ActionContext, ActionResult

Run = Callable[[Args, ActionContext], Awaitable[ActionResult]]
"""Do it. Raises SelfhealError when it can't; a run that failed is a result that says so."""

MESSAGE_ACTIONS = frozenset({"set_fact", "retract_fact", "post_event"})
"""Those whose arguments become events or facts."""

REPEATABLE = MESSAGE_ACTIONS | {"none", "debug", "print_event", "heal", "resolve"}
"""Those that may be done again after a crash: what they do counts once, or harms nobody twice."""

ADOPTED = frozenset({"run_playbook", "run_module"})
"""Those whose run leaves artifacts that show after a crash how it ended."""

ACTIONS: Mapping[str, Run] = {
    "none": none.run,
    "debug": debug.run,
    "print_event": print_event.run,
    "set_fact": set_fact.run,
    "retract_fact": retract_fact.run,
    "post_event": post_event.run,
    "shutdown": shutdown.run,
    "run_playbook": run_playbook.run,
    "run_module": run_module.run,
    "run_job_template": run_job_template.run,
    "run_workflow_template": run_workflow_template.run,
    "pg_notify": pg_notify.run,
    "heal": heal.run,
    "resolve": resolve.run,
}
