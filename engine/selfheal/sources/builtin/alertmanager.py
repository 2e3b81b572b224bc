"""alertmanager: a receiver for Prometheus Alertmanager's webhook (payload version 4).

Each alert is an event of its own, `{"alert": …, "meta": {"hosts": […]}}`; unless
`skip_original_data` is set the whole payload comes first, as `{"payload": …}`.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

from pydantic import Field

from selfheal.errors import EventError
from selfheal.ports import EventQueue
from selfheal.sources.arguments import Port, parse_arguments
from selfheal.sources.events import EventLimits
from selfheal.sources.http_server import ServerArgs, serve
from selfheal.sources.intake import deliver, limits_of

SIDE_BY_SIDE = 200
"""Alerts of one request that are handed over together."""


class Args(ServerArgs):
    """What a rulebook may say."""

    host: str = "localhost"
    """Address to listen on; 0.0.0.0 for all."""
    port: Port = 5000
    """TCP port."""
    data_alerts_path: str = "alerts"
    """Where the alerts are in the payload; empty: the payload is one alert."""
    data_host_path: str = "labels.instance"
    """Where an alert names its host; empty: it doesn't."""
    data_path_separator: str = "."
    """Between the keys of the two paths."""
    skip_original_data: bool = False
    """Put the alerts only."""
    max_body: int | None = Field(default=16 * 1024 * 1024, gt=0)
    """Most bytes of a request: of all its alerts together."""
    max_alerts: int = Field(default=10_000, ge=1)
    """Most alerts of one request; more are refused whole (413), naming the number."""


async def main(queue: EventQueue, args: dict[str, Any]) -> None:
    """Serve until cancelled; Alertmanager has its 202 only after every event is taken in."""
    from aiohttp import web

    given = parse_arguments(Args, args, "alertmanager")

    async def accept(endpoint: str, headers: dict[str, str], payload: Any) -> web.Response:
        meta = {"endpoint": endpoint, "headers": headers}
        alerts = _alerts(payload, given)
        if len(alerts) > given.max_alerts:
            text = f"refused: {len(alerts)} alerts, more than max_alerts ({given.max_alerts})\n"
            return web.Response(status=413, text=text)
        if not given.skip_original_data:
            await _deliver_whole(queue, {"payload": payload, "meta": meta}, len(alerts))
        await _deliver_each(queue, [_event(alert, meta, given) for alert in alerts])
        return web.Response(status=202, text="Received")

    await serve(given, "alertmanager", _of_all_alerts(limits_of(queue), given), accept)


def _of_all_alerts(limits: EventLimits, args: Args) -> EventLimits:
    """A request may weigh more than an event: each of its alerts is one."""
    return replace(limits, max_bytes=max(limits.max_bytes, args.max_body or 0))


async def _deliver_whole(queue: EventQueue, event: dict[str, Any], alerts: int) -> None:
    """A group too large for one event is still heard, alert by alert."""
    try:
        await deliver(queue, event)
    except EventError:
        if not alerts:
            raise


async def _deliver_each(queue: EventQueue, events: list[dict[str, Any]]) -> None:
    """In order, but many a commit of the journal. One bad alert must not keep back the others of
    its group; raises the last refusal when all have been seen to."""
    refusal: EventError | None = None
    for start in range(0, len(events), SIDE_BY_SIDE):
        some = events[start : start + SIDE_BY_SIDE]
        deliveries = (deliver(queue, event) for event in some)
        for ended in await asyncio.gather(*deliveries, return_exceptions=True):
            if isinstance(ended, EventError):
                refusal = ended
            elif isinstance(ended, BaseException):
                raise ended
    if refusal is not None:
        raise refusal


def _event(alert: Any, meta: dict[str, Any], args: Args) -> dict[str, Any]:
    hosts = _hosts(_at(alert, args.data_host_path, args.data_path_separator))
    return {"alert": alert, "meta": {**meta, "hosts": hosts}}


def _alerts(payload: Any, args: Args) -> list[Any]:
    if not args.data_alerts_path:
        return [payload]
    alerts = _at(payload, args.data_alerts_path, args.data_path_separator)
    if alerts is None:
        return []
    return alerts if isinstance(alerts, list) else [alerts]


def _at(value: Any, path: str, separator: str) -> Any:
    if not path:
        return None
    for key in path.split(separator):
        if not isinstance(value, dict) or key not in value:
            return None
        value = value[key]
    return value


def _hosts(found: Any) -> list[str]:
    names = found if isinstance(found, list) else [found]
    return [_without_port(name) for name in names if isinstance(name, str) and name]


def _without_port(instance: str) -> str:
    """`web1:9100` is web1, `[::1]:9100` is ::1, and a bare `::1` stays what it is."""
    if instance.startswith("["):
        return instance[1:].partition("]")[0]
    return instance.partition(":")[0] if instance.count(":") == 1 else instance
