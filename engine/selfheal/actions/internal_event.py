"""Events and facts that actions make: JSON, with a `meta` that says where they come from."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from selfheal.actions.context import ActionContext
from selfheal.errors import ActionError


def internal_event(body: Mapping[str, Any], action: str, context: ActionContext) -> dict[str, Any]:
    """Return a copy of `body` with `meta.source` of type `internal`, a uuid and the time.

    Other keys of its `meta` stay. Raises ActionError when it is not JSON."""
    event = as_json(body)
    meta = event.get("meta")
    moment = datetime.fromtimestamp(context.services.clock.now(), UTC)
    event["meta"] = {
        **(meta if isinstance(meta, Mapping) else {}),
        "source": {"name": action, "type": "internal"},
        "received_at": moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "uuid": str(uuid.uuid4()),
    }
    return event


def as_json(value: Mapping[str, Any]) -> dict[str, Any]:
    """Return a copy that is nothing but JSON. Raises ActionError."""
    try:
        copy: dict[str, Any] = json.loads(json.dumps(value))
    except (TypeError, ValueError, RecursionError) as error:
        raise ActionError(f"this is no JSON: {error}") from error
    return copy
