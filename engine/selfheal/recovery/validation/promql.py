"""`promql`: Prometheus says so."""

from __future__ import annotations

import asyncio
import math
import operator
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Literal

from pydantic import Field, model_validator

from selfheal.recovery.validation import steering
from selfheal.recovery.validation.kind import Args, Kind, ProbeContext, Seen

_COMPARE: dict[str, Callable[[float, float], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
# Threads of its own: a Prometheus that hangs must not hold up what else the engine does in threads.
_THREADS = ThreadPoolExecutor(8, thread_name_prefix="promql")


class PromqlArgs(Args):
    """Arguments of `promql`: holds when the vector is not empty, or when every sample compares.

    A value that is not a number (NaN) proves nothing, whatever it is compared with."""

    expr: str = Field(description="The query.")
    url: str = Field("", description="Prometheus; empty: the engine's.")
    op: Literal["==", "!=", "<", "<=", ">", ">="] | None = Field(
        None, description="Compare every sample with `value`."
    )
    value: float | None = Field(None, description="What to compare with.")
    headers: dict[str, str] = Field(default_factory=dict, description="Request headers.")
    verify: bool = Field(True, description="Check the TLS certificate.")

    @model_validator(mode="after")
    def _both_or_none(self) -> PromqlArgs:
        if (self.op is None) != (self.value is None):
            raise ValueError("op and value go together")
        if self.value is not None and math.isnan(self.value):
            raise ValueError("nothing compares with NaN")
        return self


async def probe(args: PromqlArgs, context: ProbeContext) -> Seen:
    """Ask once; the client blocks, so it does so in a thread."""
    url = args.url or context.prometheus_url
    if not url:
        return Seen(False, "no Prometheus to ask: give url")
    loop = asyncio.get_running_loop()
    result = await loop.run_in_executor(_THREADS, _query, args, url, context.timeout)
    if result and not isinstance(result[0], dict):
        return _scalar(args, float(result[1]))
    samples = [(_label(sample), float(sample["value"][1])) for sample in result]
    if not samples:
        return Seen(False, "the query returned nothing")
    if numberless := [sample for sample in samples if math.isnan(sample[1])]:
        return Seen(False, f"{_show(numberless)}, not a number")
    if args.op is None or args.value is None:
        return Seen(True, _show(samples))
    wrong = [sample for sample in samples if not _COMPARE[args.op](sample[1], args.value)]
    if wrong:
        return Seen(False, f"{_show(wrong)}, not {args.op} {args.value:g}")
    return Seen(True, _show(samples))


def _query(args: PromqlArgs, url: str, timeout: float) -> list[Any]:
    from prometheus_api_client import PrometheusConnect
    from urllib3.util.retry import Retry

    client = PrometheusConnect(
        url,
        headers=args.headers,
        disable_ssl=not args.verify,
        retry=Retry(total=0),
        timeout=timeout,  # ends the thread of a try that nobody waits for any more
    )
    try:
        return list(client.custom_query(args.expr))
    finally:
        client._session.close()  # the client has no way of its own to close it


def _scalar(args: PromqlArgs, number: float) -> Seen:
    """A scalar holds when it is not zero, as with Prometheus' `bool` comparisons."""
    if math.isnan(number):
        return Seen(False, "nan, not a number")
    if args.op is None or args.value is None:
        return Seen(bool(number), f"{number:g}")
    ok = _COMPARE[args.op](number, args.value)
    return Seen(ok, f"{number:g}" if ok else f"{number:g}, not {args.op} {args.value:g}")


def _label(sample: dict[str, Any]) -> str:
    labels = sample.get("metric", {})
    return ",".join(f"{name}={value}" for name, value in labels.items() if name != "__name__")


def _show(samples: list[tuple[str, float]]) -> str:
    shown = ", ".join(f"{{{label}}} {value:g}" for label, value in samples[:3])
    return shown if len(samples) <= 3 else f"{shown} and {len(samples) - 3} more"


PROMQL = Kind(PromqlArgs, lambda args: f"promql {args.expr}", probe, refuse=steering.query)
