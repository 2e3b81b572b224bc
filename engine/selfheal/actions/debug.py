"""debug: print a message, a variable, or everything the rule knows."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from selfheal.actions.arguments import Args, text
from selfheal.actions.context import ActionContext, ActionResult
from selfheal.actions.display import banner, pretty
from selfheal.actions.key_path import value_at
from selfheal.errors import ActionError

_SECRET = re.compile(r"pass(?!ive)|secret|token|private_?key|api_?key|credential", re.IGNORECASE)


async def run(args: Args, context: ActionContext) -> ActionResult:
    """Print `msg` (a list: one after the other), or `var`, or all there is."""
    if "msg" in args:
        messages = args["msg"]
        for message in messages if isinstance(messages, list) else [messages]:
            _print(context, "debug", message)
    elif "var" in args:
        name = text(args, "var")
        _print(context, "debug", f"{name}: {value_at(context.variables, name)}")
    else:
        _print(context, "debug: kwargs", pretty(_everything(context)))
        facts = list(context.services.facts(context.firing.ruleset))
        _print(context, "debug: facts", pretty(_masked(facts)))
    return ActionResult()


def _print(context: ActionContext, title: str, content: Any) -> None:
    banner(context.services.out, context.services.clock, title, content)


def _everything(context: ActionContext) -> dict[str, Any]:
    firing = context.firing
    moment = datetime.fromtimestamp(firing.at, UTC)
    ruleset_id = uuid.uuid5(uuid.NAMESPACE_OID, firing.ruleset)
    return {
        "variables": _masked(context.variables),
        "hosts": _hosts(context),
        "inventory": context.services.inventory,
        "project_data_file": None,
        "rule": firing.rule,
        "rule_run_at": moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "rule_set": firing.ruleset,
        "rule_set_uuid": str(ruleset_id),
        "rule_uuid": str(uuid.uuid5(ruleset_id, firing.rule)),
    }


def _hosts(context: ActionContext) -> list[str]:
    try:
        return list(context.hosts)
    except ActionError:
        return list(context.ruleset_hosts)  # who debugs wants to see the event that is wrong


def _masked(value: Any) -> Any:
    """Hide the values of keys that sound like a secret."""
    if isinstance(value, Mapping):
        return {
            key: "******" if _SECRET.search(str(key)) and not _nested(item) else _masked(item)
            for key, item in value.items()
        }
    if isinstance(value, list | tuple):
        return [_masked(item) for item in value]
    return value


def _nested(value: Any) -> bool:
    return isinstance(value, Mapping | list | tuple)
