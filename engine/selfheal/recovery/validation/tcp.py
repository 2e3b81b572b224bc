"""`tcp`: a port takes a connection, and answers if asked to."""

from __future__ import annotations

import asyncio
import re
import ssl

from pydantic import Field, model_validator

from selfheal.recovery.validation import steering
from selfheal.recovery.validation.kind import Args, Kind, ProbeContext, Seen

_MOST_ANSWER = 1 << 16


class TcpArgs(Args):
    """Arguments of `tcp`: `host` and `port`, or `address`."""

    host: str = Field("", description="Host to connect to.")
    port: int = Field(0, ge=0, le=65535, description="Port to connect to.")
    address: str = Field("", description="`host:port`, instead of the two.")
    send: str = Field("", description="Text to send; escapes such as \\r\\n as YAML reads them.")
    expect: str = Field("", description="Regular expression that must be found in the answer.")
    tls: bool = Field(False, description="Speak TLS, the certificate is checked.")

    @model_validator(mode="after")
    def _somewhere(self) -> TcpArgs:
        host, port = self.place
        if not host or not 0 < port <= 65535:
            raise ValueError("give host and port, or address as host:port")
        return self

    @property
    def place(self) -> tuple[str, int]:
        """Host and port."""
        if not self.address:
            return self.host, self.port
        host, _, port = self.address.rpartition(":")
        return host.strip("[]"), int(port) if port.isdigit() else 0


async def probe(args: TcpArgs, context: ProbeContext) -> Seen:
    """Connect once."""
    host, port = args.place
    tls = ssl.create_default_context() if args.tls else None
    reader, writer = await asyncio.open_connection(host, port, ssl=tls)
    try:
        if args.send:
            writer.write(args.send.encode())
            await writer.drain()
        if not args.expect:
            return Seen(True, "connected")
        return await _answer(reader, args.expect)
    finally:
        writer.transport.abort()


async def _answer(reader: asyncio.StreamReader, expect: str) -> Seen:
    """Read until the answer matches or ends; the try's time limit stands above."""
    answer = b""
    while len(answer) < _MOST_ANSWER:
        chunk = await reader.read(4096)
        answer += chunk
        text = answer.decode("utf-8", "replace")
        if re.search(expect, text):
            return Seen(True, f"answered {text.strip()[:80]!r}")
        if not chunk:
            break
    said = answer.decode("utf-8", "replace").strip()[:80]
    return Seen(False, f"answered {said!r}, which does not match {expect!r}")


def _title(args: TcpArgs) -> str:
    host, port = args.place
    return f"tcp {host}:{port}"


TCP = Kind(TcpArgs, _title, probe, refuse=steering.place)
