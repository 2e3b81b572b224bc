"""How fast events are matched, by number of rules, and how the two join engines compare.

    python -m benchmarks.matching [--seconds 0.5] [--rules 1,10,100,1000,5000]

One thread. An event is about 450 bytes of JSON with 14 fields; every second one fires a rule.
Joins: pairs `A, B` with the same host, one rule of the set concerned; each B fires.
"""

from __future__ import annotations

import argparse
import importlib.util
import itertools
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

if __package__ in (None, ""):
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from selfheal.clock import SystemClock
from selfheal.model import Condition, Quantifier, Rule, Ruleset
from selfheal.rulebook.grammar import parse_condition
from selfheal.rules import build_matcher

Body = dict[str, Any]


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; return its exit code."""
    options = _options(arguments)
    engines = ["python"] + (["durable"] if importlib.util.find_spec("durable") else [])
    print("rules   load ms   == ev/s   regex ev/s" + "".join(f"   join {e} ev/s" for e in engines))
    slowest: dict[str, float] = {}
    for count in (int(each) for each in options.rules.split(",")):
        rates = _rates(count, options.seconds, engines)
        slowest |= {engine: rates[engine] for engine in engines}
        cells = [f"{rates['load']:9.1f}", f"{rates['equal']:9,.0f}", f"{rates['regex']:12,.0f}"]
        cells += [f"{rates[engine]:{len(engine) + 13},.0f}" for engine in engines]
        print(f"{count:5}" + " ".join(["", *cells]))
    if "durable" in engines:
        print(f"joins: python is {slowest['python'] / slowest['durable']:.1f} times as fast")
    else:
        print("joins: durable-rules is not installed")
    return 0


def _rates(count: int, seconds: float, engines: list[str]) -> dict[str, float]:
    equal = [
        _rule(n, f'event.alert.name == "a{n}" and event.status == "firing"') for n in range(count)
    ]
    regex = [_rule(n, f'event.message is search("code-{n} ")') for n in range(count)]
    begun = time.perf_counter()
    _measure(equal, lambda n: _event(n, count), 0.0, "python")
    rates = {"load": (time.perf_counter() - begun) * 1000}
    rates["equal"] = _measure(equal, lambda n: _event(n, count), seconds, "python")
    rates["regex"] = _measure(regex, lambda n: _event(n, count), seconds, "python")
    joined = [_joined(n) for n in range(count)]
    for engine in engines:
        rates[engine] = _measure(joined, lambda n: _half(n, count), seconds, engine)
    return rates


def _measure(rules: list[Rule], body: Callable[[int], Body], seconds: float, engine: str) -> float:
    """Return events a second."""
    matcher = build_matcher(Ruleset("b", ("all",), (), tuple(rules)), {}, SystemClock(), engine)
    bodies = [body(number) for number in range(2000)]
    done, begun = 0, time.perf_counter()
    for event in itertools.cycle(bodies):
        matcher.event(event)
        done += 1
        if done % 100 == 0 and time.perf_counter() - begun >= seconds:
            break
    matcher.close()
    return done / (time.perf_counter() - begun)


def _rule(number: int, *conditions: str) -> Rule:
    expressions = tuple(parse_condition(each) for each in conditions)
    return Rule(f"r{number}", Condition(Quantifier.ALL, expressions), ())


def _joined(number: int) -> Rule:
    down = f'events.down << event.name == "down{number}"'
    return _rule(number, down, f'event.name == "sure{number}" and event.host == events.down.host')


def _event(number: int, rules: int) -> Body:
    known = number // 2 % rules if number % 2 else rules + number
    return {
        "alert": {
            "name": f"a{known}",
            "severity": "critical",
            "team": "web",
            "labels": {"dc": "x"},
        },
        "status": "firing",
        "message": f"request failed with code-{known} at the backend, retry in a moment " * 2,
        "host": f"host-{number % 50}.example.com",
        "metrics": {"load": 1.5, "free": 12345678, "errors": 7, "latency": 0.25},
        "meta": {"source": {"name": "alertmanager", "type": "alertmanager"}, "hosts": "web"},
        "tags": ["a", "b", "c"],
    }


def _half(number: int, rules: int) -> Body:
    which = "sure" if number % 2 else "down"
    return {"name": f"{which}{number // 2 % rules}", "host": f"host-{number // 2 % 50}"}


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=float, default=0.5, help="for each measurement")
    parser.add_argument("--rules", default="1,10,100,1000,5000", help="sizes of the ruleset")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
