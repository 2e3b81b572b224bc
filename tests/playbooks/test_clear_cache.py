"""clear_cache.yml on a real redis, a real memcached and a real directory."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.playbooks.conftest import Action
from tests.servers import Memcached, Redis


@pytest.fixture(scope="module")
def redis(place: Path) -> Iterator[Redis]:
    with Redis(
        place / "redis", {"maxmemory-policy": "noeviction", "enable-debug-command": "local"}
    ) as running:
        yield running


@pytest.fixture(scope="module")
def memcached(place: Path) -> Iterator[Memcached]:
    with Memcached(place / "memcached") as running:
        yield running


def test_a_full_redis_takes_writes_again(action: Callable[..., Action], redis: Redis) -> None:
    """Keys of the pattern make room, others stay; all come back, expiry included."""

    def fill() -> None:
        redis.ask("CONFIG", "SET", "maxmemory", "0")
        redis.ask("FLUSHALL")
        redis.ask("SET", "user:1", "precious")
        redis.ask("DEBUG", "POPULATE", "100", "cache:", "20000")
        redis.ask("HSET", "cache:hash", "field", "two\nlines \u00e9")
        redis.ask("SET", "cache:short", "lived", "EX", "5000")
        redis.ask("CONFIG", "SET", "maxmemory", "2mb")

    def takes_writes() -> bool:
        return redis.try_ask("SET", "probe", "1") == "OK"

    def healed() -> bool:
        well = takes_writes() and redis.ask("KEYS", "cache:*") == ""
        redis.ask("CONFIG", "SET", "maxmemory", "0")  # room for the rollback
        return well and redis.ask("GET", "user:1") == "precious"

    def rolled_back() -> bool:
        assert redis.ask("HGET", "cache:hash", "field") == "two\nlines \u00e9"
        assert 4000 < int(redis.ask("TTL", "cache:short")) <= 5000
        return len(redis.ask("KEYS", "cache:*").splitlines()) == 102

    clear = action(
        "clear_cache", cache_kind="redis", cache_port=redis.port, cache_pattern="cache:*"
    )
    clear.prove(
        sabotage=fill,
        broken=lambda: "OOM" in redis.try_ask("SET", "probe", "1"),
        healed=healed,
        rolled_back=rolled_back,
    )


def test_keys_written_since_survive_the_rollback(
    action: Callable[..., Action], redis: Redis
) -> None:
    """The rollback never overwrites what clients wrote after the clearing."""
    redis.ask("CONFIG", "SET", "maxmemory", "0")
    redis.ask("SET", "fresh:1", "old")
    clear = action(
        "clear_cache", cache_kind="redis", cache_port=redis.port, cache_pattern="fresh:*"
    )
    clear.apply()
    redis.ask("SET", "fresh:1", "new")
    clear.roll_back()
    assert redis.ask("GET", "fresh:1") == "new"


def test_a_copy_too_large_stops_before_anything_is_removed(
    action: Callable[..., Action], redis: Redis
) -> None:
    """Past cache_copy_limit nothing is cleared; without a copy it is."""
    redis.ask("CONFIG", "SET", "maxmemory", "0")
    redis.ask("SET", "big:1", secrets.token_hex(500))  # DUMP compresses
    variables = {"cache_kind": "redis", "cache_port": redis.port, "cache_pattern": "big:*"}
    said = action("clear_cache", **variables, cache_copy_limit=100).refuse()
    assert "would be larger than 100 bytes" in said
    assert redis.ask("EXISTS", "big:1") == "1"
    assert action("clear_cache", **variables, cache_keep_copy=False).apply().changed == 1
    assert redis.ask("EXISTS", "big:1") == "0"


def test_stale_memcached_items_go_and_come_back(
    action: Callable[..., Action], memcached: Memcached
) -> None:
    """Items of the pattern are gone, others stay; the rollback brings them back."""

    def poison() -> None:
        memcached.set("user:1", "fresh")
        for number in range(50):
            memcached.set(f"page:{number}", f"stale {number}", expiry=3600)

    def cleared() -> bool:
        gone = all(memcached.get(f"page:{number}") is None for number in range(50))
        return gone and memcached.get("user:1") == "fresh"

    clear = action(
        "clear_cache", cache_kind="memcached", cache_port=memcached.port, cache_pattern="page:*"
    )
    clear.prove(
        sabotage=poison,
        broken=lambda: memcached.get("page:7") == "stale 7",
        healed=cleared,
        rolled_back=lambda: all(memcached.get(f"page:{n}") == f"stale {n}" for n in range(50)),
    )


def test_a_cache_directory_is_emptied_and_refilled(
    action: Callable[..., Action], tmp_path: Path
) -> None:
    """Entries go, the directory stays, a link's target is untouched; all come back."""
    cache = tmp_path / "cache"
    outside = tmp_path / "outside"
    outside.write_text("precious")

    def fill() -> None:
        (cache / "deep").mkdir(parents=True, exist_ok=True)
        (cache / "deep" / "page.html").write_bytes(b"stale \x00")
        (cache / ".hidden").write_text("stale")
        (cache / "link").unlink(missing_ok=True)
        (cache / "link").symlink_to(outside)

    clear = action("clear_cache", cache_kind="directory", cache_path=str(cache))
    clear.prove(
        sabotage=fill,
        broken=lambda: len(list(cache.iterdir())) == 3,
        healed=lambda: not list(cache.iterdir()) and outside.read_text() == "precious",
        rolled_back=lambda: (
            (cache / "deep" / "page.html").read_bytes() == b"stale \x00"
            and (cache / "link").readlink() == outside
        ),
    )


def test_a_path_near_the_root_is_refused(action: Callable[..., Action]) -> None:
    """A mistyped path never empties a system directory."""
    said = action("clear_cache", cache_kind="directory", cache_path="/usr").refuse()
    assert "too near the root" in said


def test_an_unknown_kind_is_refused(action: Callable[..., Action]) -> None:
    """A kind that does not exist is an error, not a silent success."""
    assert (
        "choose redis, memcached or directory"
        in action("clear_cache", cache_kind="varnish").refuse()
    )
