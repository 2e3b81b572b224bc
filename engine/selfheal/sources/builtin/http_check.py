"""selfheal.http_check: probe URLs and tell when one goes down or comes back."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from pydantic import AliasChoices, Field, field_validator

from selfheal.clock import SystemClock
from selfheal.ports import EventQueue
from selfheal.sources.arguments import parse_arguments
from selfheal.sources.checks import CheckArgs, Target, watch

if TYPE_CHECKING:
    import aiohttp

_BODY_BYTES = 1_000_000


class Args(CheckArgs):
    """What a rulebook may say."""

    urls: list[str | Target] = Field(
        min_length=1, validation_alias=AliasChoices("urls", "endpoints")
    )
    """What to probe; an entry may be `{target: URL, component: …, hosts: […]}`."""
    method: str = "GET"
    """HTTP method."""
    status: int | list[int] = Field(default_factory=list)
    """Status, or statuses, that are good; default: 200 to 299."""
    body: str = ""
    """Regular expression that must be found in the first million bytes of the body."""
    headers: dict[str, str] = Field(default_factory=dict)
    """Headers to send."""
    verify_tls: bool = True
    """Check the certificate."""
    follow_redirects: bool = True
    """Follow redirects; otherwise a redirect's own status counts."""

    @field_validator("urls")
    @classmethod
    def _are_urls(cls, value: list[str | Target]) -> list[str | Target]:
        for entry in value:
            url = entry if isinstance(entry, str) else entry.target
            parts = urlsplit(url)
            if parts.scheme not in ("http", "https") or not parts.hostname:
                raise ValueError(f"{url!r} is not an http or https URL")
        return value

    @field_validator("body")
    @classmethod
    def _is_regex(cls, value: str) -> str:
        try:
            re.compile(value)
        except re.error as error:
            raise ValueError(f"not a regular expression: {error}") from None
        return value


async def main(queue: EventQueue, args: dict[str, Any]) -> None:
    """Probe until cancelled. Connections are kept open between two probes of a target."""
    import aiohttp

    given = parse_arguments(Args, args, "selfheal.http_check")
    connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=given.interval * 2 + 15)
    async with aiohttp.ClientSession(
        connector=connector,
        headers=given.headers,
        cookie_jar=aiohttp.DummyCookieJar(),  # every probe is a stranger
        timeout=aiohttp.ClientTimeout(total=None),  # `watch` has the time limit
    ) as session:
        prober = _Prober(session, given)
        targets = [_target(entry) for entry in given.urls]
        await watch(queue, "http", given, targets, prober.probe, SystemClock())


class _Prober:
    def __init__(self, session: aiohttp.ClientSession, args: Args) -> None:
        self.session = session
        self.args = args
        self.statuses = {args.status} if isinstance(args.status, int) else set(args.status)
        self.body = re.compile(args.body.encode()) if args.body else None

    async def probe(self, target: Target) -> str:
        import aiohttp

        try:
            return await self._twice(target.target)
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return _connection_problem(error)

    async def _twice(self, url: str) -> str:
        """A connection kept open may have been closed meanwhile by a server that is well."""
        import aiohttp

        try:
            return await self._once(url)
        except aiohttp.ServerDisconnectedError:
            return await self._once(url)

    async def _once(self, url: str) -> str:
        args = self.args
        async with self.session.request(
            args.method, url, ssl=args.verify_tls, allow_redirects=args.follow_redirects
        ) as response:
            status = response.status
            good = status in self.statuses if self.statuses else 200 <= status < 300
            if not good:
                return f"status {status}"
            # Read even when nobody looks at it: only then is the connection kept open.
            body = await _read(response)
        if self.body is not None and not self.body.search(body):
            return f"body doesn't match {args.body!r}"
        return ""


async def _read(response: aiohttp.ClientResponse) -> bytes:
    body = b""
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) >= _BODY_BYTES:
            break
    return body


def _connection_problem(error: Exception) -> str:
    import aiohttp

    cause = getattr(error, "os_error", None) or error
    if isinstance(cause, ConnectionRefusedError):
        return "connection refused"
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return "name can't be resolved"
    if isinstance(error, aiohttp.ClientConnectorCertificateError | aiohttp.ClientSSLError):
        return f"TLS: {error}"
    if isinstance(error, aiohttp.ServerDisconnectedError | aiohttp.ClientOSError):
        return f"connection broken: {cause}"
    return f"{type(error).__name__}: {error}"


def _target(entry: str | Target) -> Target:
    target = entry if isinstance(entry, Target) else Target(target=entry)
    host = urlsplit(target.target).hostname or ""
    return target if target.hosts else target.model_copy(update={"hosts": [host]})
