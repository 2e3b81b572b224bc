"""alertmanager: a receiver for Prometheus Alertmanager's webhook (payload version 4).

Each alert is an event of its own, `{"alert": …, "meta": {"hosts": […]}}`; unless
`skip_original_data` is set the whole payload comes first, as `{"payload": …}`.
"""

from __future__ import annotations

from typing import Any

from selfheal.errors import EventError
from selfheal.ports import EventQueue
from selfheal.sources.arguments import Port, parse_arguments
from selfheal.sources.http_server import ServerArgs, serve
from selfheal.sources.intake import deliver, limits_of


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


async def main(queue: EventQueue, args: dict[str, Any]) -> None:
    """Serve until cancelled; Alertmanager has its 202 only after every event is taken in."""
    from aiohttp import web

    given = parse_arguments(Args, args, "alertmanager")

    async def accept(endpoint: str, headers: dict[str, str], payload: Any) -> web.Response:
        meta = {"endpoint": endpoint, "headers": headers}
        refusal = None
        for event in _events(payload, meta, given):
            try:
                await deliver(queue, event)
            except EventError as error:
                refusal = error  # one bad alert must not keep back the others of its group
        if refusal is not None:
            raise refusal
        return web.Response(status=202, text="Received")

    await serve(given, "alertmanager", limits_of(queue), accept)


def _events(payload: Any, meta: dict[str, Any], args: Args) -> list[dict[str, Any]]:
    events: list[dict[str, Any]] = []
    if not args.skip_original_data:
        events.append({"payload": payload, "meta": meta})
    for alert in _alerts(payload, args):
        hosts = _hosts(_at(alert, args.data_host_path, args.data_path_separator))
        events.append({"alert": alert, "meta": {**meta, "hosts": hosts}})
    return events


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
