"""Arguments of built-in sources."""

import pytest

from selfheal.errors import SourceError
from selfheal.sources import load_source
from selfheal.sources.arguments import Arguments, Seconds, parse_arguments


class Timed(Arguments):
    delay: Seconds


@pytest.mark.parametrize(
    ("given", "seconds"),
    [(2, 2.0), (0.05, 0.05), ("0.5", 0.5), ("500ms", 0.5), ("1m30s", 90.0), ("2 minutes", 120.0)],
)
def test_durations(given: object, seconds: float) -> None:
    """A duration is a number of seconds, or a text with units, whichever the rulebook has."""
    assert parse_arguments(Timed, {"delay": given}, "x").delay == seconds


@pytest.mark.parametrize("given", [-1, "soon", True, None, [1], float("nan")])
def test_wrong_durations(given: object) -> None:
    """What is no duration is refused by its argument's name."""
    with pytest.raises(SourceError, match="source x: argument 'delay': "):
        parse_arguments(Timed, {"delay": given}, "x")


@pytest.mark.parametrize(
    ("name", "args", "message"),
    [
        ("range", {}, "source range: argument 'limit' is required"),
        ("range", {"limt": 1}, "unknown argument 'limt' .did you mean 'limit'"),
        ("range", {"limit": "five"}, "argument 'limit': .*integer"),
        ("generic", {"payload": ["text"]}, "argument 'payload"),
        ("generic", {"payload": [], "time_format": "unix"}, "argument 'time_format'"),
        ("webhook", {}, "argument 'port' is required"),
        ("webhook", {"port": 70000}, "argument 'port'"),
        ("webhook", {"port": 1, "hmac_algo": "rot13"}, "unknown hash 'rot13'"),
        ("webhook", {"port": 1, "hmac_algo": "shake_128"}, "unknown hash 'shake_128'"),
        ("webhook", {"port": 1, "token": ""}, "argument 'token': .*at least 4"),
        ("webhook", {"port": 1, "hmac_secret": ""}, "argument 'hmac_secret': .*at least 4"),
        ("webhook", {"port": 1, "keyfile": "k"}, "need 'certfile'"),
        ("url_check", {"urls": []}, "argument 'urls'"),
        ("selfheal.http_check", {"urls": ["web1:80"]}, "'web1:80' is not an http or https URL"),
        ("selfheal.http_check", {"urls": ["http://a"], "body": "("}, "not a regular expression"),
        ("selfheal.http_check", {"urls": ["http://a"], "interval": 0}, "must be 1ms or more"),
        ("selfheal.tcp_check", {"targets": ["web1"]}, "'web1' is not host:port"),
        ("file_watch", {"path": "/", "ignore_regexes": ["("]}, "not a regular expression"),
        ("journald", {"match": "--help"}, "neither ALL nor FIELD=value"),
        ("journald", {"match": "--file=/x"}, "neither ALL nor FIELD=value"),
        ("pg_listener", {"channels": ["a"]}, "one of 'dsn' and 'postgres_params' is required"),
        ("kafka", {"host": "h", "port": 1}, "exactly one of 'topic', 'topics'"),
        ("kafka", {"host": "h", "port": 1, "topic": "t", "offset": "x"}, "argument 'offset'"),
    ],
)
def test_wrong_arguments(name: str, args: dict[str, object], message: str) -> None:
    """Each wrong argument is named, and what would be right."""
    with pytest.raises(SourceError, match=message):
        load_source(name).check(args)


def test_all_problems_at_once() -> None:
    """One message has everything that is wrong."""
    with pytest.raises(SourceError) as caught:
        load_source("range").check({"delay": "x", "colour": 1})
    assert all(word in str(caught.value) for word in ("limit", "delay", "colour"))


def test_secrets_are_not_shown() -> None:
    """A wrong argument's message shows neither it nor any other argument's value."""
    with pytest.raises(SourceError) as caught:
        load_source("webhook").check({"port": "x", "token": ["s3cret"]})
    assert "s3cret" not in str(caught.value)
