"""kafka: messages of Kafka topics as events. Extra: kafka."""

from __future__ import annotations

import asyncio
import json
import ssl
from typing import Any, Literal

from pydantic import Field, SecretStr, model_validator

from selfheal.errors import EventError, MissingExtraError, SourceError
from selfheal.ports import EventQueue
from selfheal.sources.arguments import Arguments, Port, parse_arguments
from selfheal.sources.intake import refuse


class Args(Arguments):
    """What a rulebook may say; exactly one of `topic`, `topics`, `topic_pattern`."""

    host: str
    """Broker."""
    port: Port
    """Its port."""
    topic: str = ""
    """One topic."""
    topics: list[str] = Field(default_factory=list)
    """Several."""
    topic_pattern: str = ""
    """All topics that match this regular expression, new ones too."""
    group_id: str | None = None
    """Consumer group; with it a message is marked as read only after its event is taken in."""
    offset: Literal["latest", "earliest"] = "latest"
    """Where a new consumer group begins."""
    encoding: str = "utf-8"
    """Of keys, headers and bodies."""
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    """How to speak to the broker; with `cafile` always over TLS."""
    cafile: str | None = None
    """PEM file of authorities that may have signed the broker's certificate."""
    certfile: str | None = None
    """Client certificate."""
    keyfile: str | None = None
    """Its key."""
    password: SecretStr | None = None
    """Of the key."""
    check_hostname: bool = True
    """The certificate must carry the broker's name."""
    verify_mode: Literal["CERT_NONE", "CERT_OPTIONAL", "CERT_REQUIRED"] = "CERT_REQUIRED"
    """How the broker's certificate is checked."""
    sasl_mechanism: Literal["PLAIN", "GSSAPI", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"] = (
        "PLAIN"
    )
    """How to log in."""
    sasl_plain_username: str | None = None
    """User."""
    sasl_plain_password: SecretStr | None = None
    """Password."""
    sasl_kerberos_service_name: str | None = None
    """Kerberos service, default kafka."""
    sasl_kerberos_domain_name: str | None = None
    """Kerberos realm."""
    metadata_max_age_ms: int = 300_000
    """How often to look for new topics and partitions, in milliseconds."""

    @model_validator(mode="after")
    def _one_kind_of_topic(self) -> Args:
        if sum(map(bool, (self.topic, self.topics, self.topic_pattern))) != 1:
            raise ValueError("exactly one of 'topic', 'topics' and 'topic_pattern' is required")
        return self


async def main(queue: EventQueue, args: dict[str, Any]) -> None:
    """Put `{"body": …, "meta": {"headers": …, "key": …}}` for each message until cancelled."""
    given = parse_arguments(Args, args, "kafka")
    try:
        import aiokafka
    except ImportError as error:
        raise MissingExtraError("source kafka", "kafka") from error
    consumer = aiokafka.AIOKafkaConsumer(**_consumer_arguments(given))
    topics = [given.topic] if given.topic else given.topics
    consumer.subscribe(topics=topics or None, pattern=given.topic_pattern or None)
    try:
        await consumer.start()
        async for message in consumer:
            await _take(queue, message, given.encoding)
            if given.group_id is not None:
                await consumer.commit()
            await asyncio.sleep(0)
    finally:
        await consumer.stop()


def _consumer_arguments(args: Args) -> dict[str, Any]:
    protocol = args.security_protocol
    over_tls = args.cafile is not None or protocol.endswith("SSL")
    service = args.sasl_kerberos_service_name
    password = args.sasl_plain_password
    given = {
        "bootstrap_servers": f"{args.host}:{args.port}",
        "group_id": args.group_id,
        "enable_auto_commit": False,
        "max_poll_records": 1,
        "auto_offset_reset": args.offset,
        "security_protocol": protocol.replace("PLAINTEXT", "SSL") if over_tls else protocol,
        "ssl_context": _tls_context(args) if over_tls else None,
        "sasl_mechanism": args.sasl_mechanism,
        "sasl_plain_username": args.sasl_plain_username,
        "sasl_plain_password": password.get_secret_value() if password else None,
        "sasl_kerberos_domain_name": args.sasl_kerberos_domain_name,
        "metadata_max_age_ms": args.metadata_max_age_ms,
    }
    return given | ({"sasl_kerberos_service_name": service} if service else {})


def _tls_context(args: Args) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=args.cafile)
        if args.certfile:
            password = args.password.get_secret_value() if args.password else ""
            context.load_cert_chain(args.certfile, args.keyfile, password)
    except OSError as error:
        raise SourceError(f"source kafka: certificates can't be used: {error}") from error
    context.check_hostname = args.check_hostname and args.verify_mode != "CERT_NONE"
    context.verify_mode = ssl.VerifyMode[args.verify_mode]
    return context


async def _take(queue: EventQueue, message: Any, encoding: str) -> None:
    try:
        headers = {name: value.decode(encoding) for name, value in message.headers}
        meta: dict[str, Any] = {"headers": headers}
        if message.key:
            meta["key"] = _decoded(message.key, encoding)
        body = _decoded(message.value or b"", encoding)
    except UnicodeDecodeError as error:
        refuse(queue, EventError(f"message on {message.topic} is not {encoding}: {error.reason}"))
        return
    except EventError as error:
        refuse(queue, error)
        return
    if body:
        await queue.put({"body": body, "meta": meta})


def _decoded(data: bytes, encoding: str) -> Any:
    """JSON where it is JSON, else text."""
    text = data.decode(encoding)
    try:
        return json.loads(text)
    except RecursionError:
        raise EventError("nested too deeply") from None
    except ValueError:
        return text
