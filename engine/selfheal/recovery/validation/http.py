"""`http`: a URL answers as it should."""

from __future__ import annotations

import json
import re
import ssl
from typing import Any

from pydantic import Field, field_validator

from selfheal.recovery.validation import steering
from selfheal.recovery.validation.kind import Args, Kind, ProbeContext, Seen

_MOST_BODY = 1 << 20


class HttpArgs(Args):
    """Arguments of `http`."""

    url: str = Field(description="What to ask, http:// or https://.")
    method: str = Field("GET", description="HTTP method.")
    status: list[int] = Field([200], description="Status, or list of statuses, that will do.")
    contains: str = Field("", description="Text the body must hold.")
    regex: str = Field("", description="Regular expression that must be found in the body.")
    json_: dict[str, Any] = Field(
        default_factory=dict, alias="json", description="Values the JSON body must have, by a.b.0."
    )
    headers: dict[str, str] = Field(default_factory=dict, description="Request headers.")
    body: str = Field("", description="Request body.")
    verify: bool = Field(True, description="Check the TLS certificate.")
    ca: str = Field("", description="CA file to check it with.")
    follow_redirects: bool = Field(False, description="Follow redirects.")

    @field_validator("status", mode="before")
    @classmethod
    def _one_or_many(cls, value: Any) -> Any:
        return value if isinstance(value, list) else [value]

    @field_validator("url")
    @classmethod
    def _web_only(cls, value: str) -> str:
        if not value.startswith(("http://", "https://")):
            raise ValueError("must begin with http:// or https://")
        return value


async def probe(args: HttpArgs, context: ProbeContext) -> Seen:
    """Ask once, on a connection of its own."""
    import aiohttp

    request: dict[str, Any] = {
        "headers": args.headers,
        "data": args.body or None,
        "ssl": _tls(args),
        "allow_redirects": args.follow_redirects,
    }
    try:
        async with (
            aiohttp.ClientSession() as session,
            session.request(args.method, args.url, **request) as response,
        ):
            body = await response.content.read(_MOST_BODY)
    except aiohttp.ClientError as error:
        return Seen(False, f"{error or type(error).__name__}")
    if response.status not in args.status:
        wanted = " or ".join(map(str, args.status))
        return Seen(False, f"status {response.status}, not {wanted}")
    wrong = _wrong_body(args, body.decode("utf-8", "replace"))
    return Seen(not wrong, f"status {response.status}" + (f", but {wrong}" if wrong else ""))


def _tls(args: HttpArgs) -> bool | ssl.SSLContext:
    if args.ca:
        return ssl.create_default_context(cafile=args.ca)
    return args.verify


def _wrong_body(args: HttpArgs, body: str) -> str:
    """Return what the body lacks; empty when nothing."""
    if args.contains and args.contains not in body:
        return f"the body does not contain {args.contains!r}"
    if args.regex and not re.search(args.regex, body):
        return f"the body does not match {args.regex!r}"
    return _wrong_json(args, body) if args.json_ else ""


def _wrong_json(args: HttpArgs, body: str) -> str:
    try:
        document = json.loads(body)
    except ValueError:
        return "the body is not JSON"
    for path, wanted in args.json_.items():
        try:
            value = _at(document, path)
        except (LookupError, TypeError, ValueError):
            return f"the JSON has no {path}"
        if value != wanted:
            return f"{path} is {value!r}, not {wanted!r}"
    return ""


def _at(document: Any, path: str) -> Any:
    for part in path.split("."):
        document = document[int(part)] if isinstance(document, list) else document[part]
    return document


HTTP = Kind(HttpArgs, lambda args: f"http {args.url}", probe, refuse=steering.url)
