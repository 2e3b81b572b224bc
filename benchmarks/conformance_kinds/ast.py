"""Whether both loaders accept the same files, and understand the same in them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.conformance_kinds.verdict import Verdict, agree, differ, on_purpose
from selfheal.errors import ConditionError, RulebookError
from selfheal.rulebook import read_rulebook
from selfheal.rulebook.ast_export import rulebook_tree

# What we refuse although ansible-rulebook takes it, by the message we give. Only what is decided
# or recorded stands here: a refusal that merely seems right counts as a difference.
_STRICTER = {
    r"duplicate key": "a duplicate key is a mistake, one of the two values would be lost",
    r"a (source|filter) has exactly one type": "a second type would be ignored in silence",
    r"broken Jinja": "broken Jinja is found at load, not when the action runs",
    r"comparisons can't be chained": "the original is recorded to fail on it at the first event",
    r"should have at least 1 item": "an empty list of conditions is a mistake",
}
# What we take although ansible-rulebook refuses it, by the message it gives.
_WIDER = {
    r"does not match '\^\\+d\+\\+s\(": "durations may be written short: 30s, 1h30m",
    r"'(heal|resolve|pg_notify)'": "an action of our own",
    r"'solutions'": "a key of our own",
}
# The original maps this name to a filter that doesn't exist; ours works.
_BROKEN_FILTER = '"ansible.builtin.dashes_to_underscores"'


def replay(folder: Path, level: int) -> Iterator[Verdict]:
    """Yield a verdict a recorded file; `level` has no meaning here."""
    for line in (folder / "ast" / "rulebooks.jsonl").read_text().splitlines():
        yield _compare(folder, json.loads(line))


def _compare(folder: Path, record: dict[str, Any]) -> Verdict:
    case, variables = record["case"], record.get("vars") or {}
    try:
        rulebook = read_rulebook(folder / record["rulebook"], variables=variables)
        ours = rulebook_tree(rulebook, variables)
    except (RulebookError, ConditionError) as error:
        return agree(case) if "error" in record else _refused(case, error)
    if "error" in record:
        return _taken(case, str(record["error"].get("message", "")))
    return _same_tree(case, ours, record["rulesets"])


def _refused(case: str, error: Exception) -> Verdict:
    messages = (
        [problem.message for problem in error.problems]
        if isinstance(error, RulebookError)
        else [str(error)]
    )
    reasons = [_reason(_STRICTER, message) for message in messages]
    if all(reasons):
        return on_purpose(case, "; ".join(dict.fromkeys(reasons)))
    return differ(case, f"we refuse it: {error}")


def _taken(case: str, message: str) -> Verdict:
    if reason := _reason(_WIDER, message):
        return on_purpose(case, reason)
    return differ(case, f"we take what the original refuses: {message}")


def _reason(table: dict[str, str], message: str) -> str:
    return next((reason for pattern, reason in table.items() if re.search(pattern, message)), "")


def _same_tree(case: str, ours: Any, theirs: Any) -> Verdict:
    our_text, their_text = _canonical(ours), _canonical(theirs)
    if our_text == their_text:
        return agree(case)
    if our_text == their_text.replace(_BROKEN_FILTER, '"eda.builtin.dashes_to_underscores"'):
        return on_purpose(case, "the original names a filter that doesn't exist")
    pairs = enumerate(zip(our_text, their_text, strict=False))
    at = next((index for index, pair in pairs if pair[0] != pair[1]), 0)
    place = slice(max(at - 60, 0), at + 120)
    return differ(case, f"ours …{our_text[place]}…\n  theirs …{their_text[place]}…")


def _canonical(tree: Any) -> str:
    text = json.dumps(tree, sort_keys=True, default=str)
    return text.replace('"filter_args": {}', '"filter_args": null')
