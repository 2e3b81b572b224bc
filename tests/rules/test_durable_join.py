"""The durable join engine survives whatever its child does."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest

from selfheal.errors import JoinEngineError, MissingExtraError
from selfheal.rules import describe_join_engine, engines, join_durable
from selfheal.rules.durable_process import DurableProcess
from selfheal.rules.join import Link, Shape, Token
from selfheal.rules.join_durable import DurableJoin
from selfheal.rules.join_python import PythonJoin
from tests.rules.build import HAS_DURABLE, needs_durable

Ask = Callable[..., dict[str, Any]]

SHAPE = Shape(0, 2, (Link("r0s1t0", 0, 1),))


def token(number: int, slot: int, key: str = "h1") -> Token:
    return Token(number, 0, slot, {"r0s1t0": key})


@pytest.fixture
def join() -> Iterator[DurableJoin]:
    needs_durable()
    engine = DurableJoin([SHAPE])
    yield engine
    engine.close()


def test_it_joins_by_key(join: DurableJoin) -> None:
    """Every combination that a token completes is reported, once."""
    assert list(join.add([token(1, 0)])) == []
    assert list(join.add([token(2, 0)])) == []
    assert list(join.add([token(3, 1, "h2")])) == []
    assert sorted(join.add([token(4, 1)])) == [(1, 4), (2, 4)]
    join.remove([1])
    assert list(join.add([token(5, 1)])) == [(2, 5)]


def test_a_killed_child_is_replaced_and_nothing_is_lost(join: DurableJoin) -> None:
    """After kill -9 the tokens that live are replayed and the request is repeated."""
    list(join.add([token(1, 0)]))
    assert join.child_pid is not None
    os.kill(join.child_pid, signal.SIGKILL)
    assert list(join.add([token(2, 1)])) == [(1, 2)]
    assert join.restarts == 1


def test_a_hung_child_is_replaced_within_seconds(join: DurableJoin) -> None:
    """A child that does not answer is given up after its second."""
    list(join.add([token(1, 0)]))
    assert join.child_pid is not None
    os.kill(join.child_pid, signal.SIGSTOP)
    begun = time.monotonic()
    assert list(join.add([token(2, 1)])) == [(1, 2)]
    assert time.monotonic() - begun < 10


def test_what_kills_the_child_twice_is_joined_in_python(
    join: DurableJoin, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A deadly token is put in quarantine, said so, and still joins with all others."""
    list(join.add([token(1, 0)]))
    monkeypatch.setattr(DurableProcess, "ask", _dies_of(DurableProcess.ask, '"id": "2"'))
    assert list(join.add([token(2, 1)])) == [(1, 2)]
    assert "quarantine" in join.describe()
    assert sorted(join.add([token(3, 0)])) == [(3, 2)]
    assert sorted(join.add([token(4, 1)])) == [(1, 4), (3, 4)]
    join.remove([2])
    assert "quarantine" not in join.describe()
    assert sorted(join.add([token(5, 0)])) == [(5, 4)]


def test_a_child_that_keeps_failing_is_given_up_on(
    join: DurableJoin, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After three requests in quarantine Python joins everything, and nothing waits any more."""
    list(join.add([token(1, 0)]))
    monkeypatch.setattr(DurableProcess, "ask", _dies_of(DurableProcess.ask, '"id"'))
    for number in range(2, 10):
        assert list(join.add([token(number, 1)])) == [(1, number)]
    assert "given up" in join.describe()
    assert join.restarts == 6
    join.remove(range(1, 10))
    list(join.add([token(10, 0)]))
    assert list(join.add([token(11, 1)])) == [(10, 11)]


def test_a_combination_that_cannot_be_is_not_believed(
    join: DurableJoin, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A child that lies is replaced; only what is true is reported."""
    list(join.add([token(1, 0, "h9")]))
    monkeypatch.setattr(
        DurableProcess, "ask", lambda self, request, **options: {"fired": [[0, 1, 2]]}
    )
    assert list(join.add([token(2, 1, "h1")])) == []
    assert "quarantine" in join.describe()


def test_many_removals_at_once_cost_a_new_child(join: DurableJoin) -> None:
    """When thousands of tokens expire together the child is replaced instead of told each."""
    first = join.child_pid
    for begin in range(1, 2001, 200):
        list(join.add([token(number, 0) for number in range(begin, begin + 200)]))
    join.remove(range(1, 2000))
    assert list(join.add([token(3000, 1)])) == [(2000, 3000)]
    assert join.child_pid != first
    assert join.restarts == 0


def test_the_child_is_recycled(join: DurableJoin, monkeypatch: pytest.MonkeyPatch) -> None:
    """After some thousand combinations the child is a new one, with the tokens that live."""
    monkeypatch.setattr(join_durable, "RECYCLE_AFTER", 3)
    first = join.child_pid
    list(join.add([token(1, 0)]))
    for number in range(2, 12):
        assert list(join.add([token(number, 1)])) == [(1, number)]
    assert join.child_pid != first
    assert join.restarts == 0


def test_the_child_dies_with_the_engine() -> None:
    """Kill -9 of the engine leaves no child behind."""
    needs_durable()
    program = (
        "import time\n"
        "from selfheal.rules.join import Shape\n"
        "from selfheal.rules.join_durable import DurableJoin\n"
        "engine = DurableJoin([Shape(0, 2)])\n"
        "print(engine.child_pid, flush=True)\n"
        "time.sleep(60)\n"
    )
    engine = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE)
    assert engine.stdout is not None
    child = int(engine.stdout.readline())
    engine.kill()
    engine.wait()
    engine.stdout.close()
    deadline = time.monotonic() + 10
    while _runs(child):
        assert time.monotonic() < deadline, "the child outlived the engine"
        time.sleep(0.02)


def test_no_c_code_enters_this_process(join: DurableJoin) -> None:
    """The engine's own process never imports durable_rules."""
    list(join.add([token(1, 0)]))
    assert not {"durable", "durable_rules_engine"} & set(sys.modules)


def test_auto_takes_what_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the library `auto` is Python and `durable` an error that names the extra."""
    assert describe_join_engine().startswith("durable" if HAS_DURABLE else "python")
    monkeypatch.setattr(engines, "_is_installed", lambda: False)
    assert isinstance(engines.open_join_engine([SHAPE]), PythonJoin)
    assert describe_join_engine().startswith("python: durable-rules is not installed")
    with pytest.raises(MissingExtraError):
        engines.open_join_engine([SHAPE], "durable")
    with pytest.raises(ValueError, match="drools"):
        engines.open_join_engine([SHAPE], "drools")


def test_a_child_that_does_not_start_leaves_python(monkeypatch: pytest.MonkeyPatch) -> None:
    """A library that is found but can't be loaded makes `auto` Python, and says why."""
    monkeypatch.setattr(engines, "_is_installed", lambda: True)
    monkeypatch.setattr(sys, "executable", "/bin/false")
    assert isinstance(engines.open_join_engine([SHAPE]), PythonJoin)
    assert "does not start" in describe_join_engine()
    with pytest.raises(JoinEngineError):
        engines.open_join_engine([SHAPE], "durable")


def _dies_of(ask: Ask, text: str) -> Ask:
    def dying(self: DurableProcess, request: Any, **options: float) -> dict[str, Any]:
        if text in json.dumps(request):
            os.kill(self.pid, signal.SIGKILL)
        return ask(self, request, **options)

    return dying


def _runs(pid: int) -> bool:
    with suppress(FileNotFoundError), open(f"/proc/{pid}/stat") as stat:
        return stat.read().rpartition(")")[2].split()[0] != "Z"
    return False
