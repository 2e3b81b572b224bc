"""The child process of the durable join engine: durable_rules and a pipe, nothing else.

durable_rules is C code that can crash, hang or write where it should not, so it lives alone here
and is given nothing but short ASCII tokens. Run as a script, by file name; it imports nothing of
selfheal. JSON lines in, one JSON line out for each: first the rules, then `{remove, add}`.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
from typing import Any

_PR_SET_PDEATHSIG = 1
_RULES_IN_A_SET = 100  # more than some hundred conditions in one ruleset hang or crash the library

Line = dict[str, Any]


def die_with_parent(parent: int) -> None:
    """Ask the kernel to kill this process when its parent dies (Linux; elsewhere: stdin ends)."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            sys.exit(0)


def rule_definition(rule: int, slots: int, links: list[list[Any]]) -> Line:
    """Return durable_rules' JSON for one rule; `links` are `[name, earlier, later]`."""
    terms: list[Line] = []
    for slot in range(slots):
        equal = [{f"{name}o": {f"a{a}": f"{name}k"}} for name, a, b in links if b == slot]
        if len(equal) > 1:
            # The last of several correlated terms must never be false: the library reads out of
            # bounds then. So the last one is always true.
            terms.append({f"a{slot}": {"$and": [*equal, {"one": {"a0": "one"}}]}})
        else:
            terms.append({f"a{slot}": equal[0] if equal else {"$ex": {f"r{rule}c{slot}": 1}}})
    return {"all": terms}


class Joiner:
    """The library, driven by hand: no timers, no threads, no events, facts only."""

    def __init__(self, shapes: list[list[Any]]) -> None:
        from durable import engine

        class QuietHost(engine.Host):  # type: ignore[misc]  # the library has no types
            def _run(self) -> None:  # the original starts two threads that never end
                pass

        self.fired: list[list[int]] = []
        self._host = QuietHost()
        rulesets: dict[str, Line] = {}
        for rule, slots, links in shapes:
            definition = rule_definition(rule, slots, links)
            definition["run"] = self._action(rule, slots)
            rulesets.setdefault(self._group(rule), {})[f"r{rule}"] = definition
        self._host.set_rulesets(rulesets)

    def apply(self, request: Line) -> list[list[int]]:
        """Remove and add tokens; return `[rule, id, id, …]` for each combination completed."""
        self.fired = []
        for rule, token in request["remove"]:
            self._host.retract_fact(self._group(rule), {"id": str(token)})
        for rule, fact in request["add"]:
            self._host.assert_fact(self._group(rule), fact)
        return self.fired

    def _action(self, rule: int, slots: int) -> Any:
        def run(context: Any) -> None:
            tokens = [int(getattr(context, f"a{slot}")["id"]) for slot in range(slots)]
            self.fired.append([rule, *tokens])

        return run

    @staticmethod
    def _group(rule: int) -> str:
        return f"g{rule // _RULES_IN_A_SET}"


def main() -> None:
    """Serve until stdin ends."""
    die_with_parent(int(sys.argv[1]))
    lines = iter(sys.stdin.buffer.readline, b"")
    joiner = Joiner(json.loads(next(lines)))
    print(json.dumps({"ready": True}), flush=True)
    for line in lines:
        try:
            answer: Line = {"fired": joiner.apply(json.loads(line))}
        except Exception as error:  # whatever the library raises, its state can't be trusted now
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
