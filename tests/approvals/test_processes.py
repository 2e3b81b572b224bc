"""Two answers at the same moment, from two processes, on one file."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from selfheal.model import Approval, ApprovalState, Grant, Need, Risk
from selfheal.store import open_record
from tests.store.nouns import a_healing

ANSWER = """
import json, sys
from selfheal.approvals import answer, settle
from selfheal.model import Answer, Channel
from selfheal.store import open_record
path, who, yes = sys.argv[1:]
record = open_record(path)
idents = [one.id for one in record.approvals(limit=100)]
print("ready", flush=True)
sys.stdin.readline()
heard = {}
for ident in sorted(idents):
    if who == "grants":
        heard[ident] = settle(record, ident, 2.0).state.value
    else:
        given = Answer(who, yes == "yes", "", 2.0, Channel.CLI)
        heard[ident] = answer(record, ident, given)[0].value
print(json.dumps(heard))
"""


def race(file: Path, *racers: tuple[str, str]) -> list[dict[str, str]]:
    """Let them all loose at once; return what each was told."""
    programs = [
        subprocess.Popen(
            [sys.executable, "-c", ANSWER, str(file), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for arguments in racers
    ]
    for program in programs:
        assert program.stdout
        assert program.stdout.readline() == "ready\n"
    for program in programs:
        assert program.stdin
        program.stdin.write("go\n")
        program.stdin.flush()
    return [json.loads(program.communicate(timeout=60)[0]) for program in programs]


def asked(file: Path, number: int) -> None:
    record = open_record(file)
    for n in range(number):
        healing = a_healing(resource=f"web{n}")
        record.add_healing(healing)
        record.add_approval(
            Approval(
                id=f"ap-{n:02}",
                healing_id=healing.id,
                incident_id="",
                rung=0,
                solution="restart",
                risk=Risk.HIGH,
                target=f"web{n}",
                reasons=(),
                need=Need.ANY,
                approvers=(),
                asked_at=1.0,
                expires_at=100.0,
            )
        )
    record.close()


def test_the_first_of_two_answers_decides(tmp_path: Path) -> None:
    """Of a yes and a no to the same question exactly one counts, the approval says which, and the
    other is told that it came too late."""
    file = tmp_path / "record.db"
    asked(file, 40)
    anna, ben = race(file, ("anna", "yes"), ("ben", "no"))
    record = open_record(file)
    for approval in record.approvals(limit=100):
        told = {anna[approval.id]: "anna", ben[approval.id]: "ben"}
        assert set(told) == {"counted", "too_late"}
        [answer] = approval.answers
        assert answer.who == told["counted"]
        expected = ApprovalState.APPROVED if answer.yes else ApprovalState.DENIED
        assert approval.state is expected
    record.close()


def test_a_grant_is_never_used_more_often_than_it_says(tmp_path: Path) -> None:
    """Three processes that settle forty questions at once get seven yes from a grant of seven."""
    file = tmp_path / "record.db"
    asked(file, 40)
    record = open_record(file)
    record.add_grant(Grant("gr-1", "*", "*", 0.0, 99.0, 7, "anna", "", 0.0))
    race(file, ("grants", ""), ("grants", ""), ("grants", ""))
    assert len(record.approvals(state="approved", limit=100)) == 7
    assert len(record.approvals(state="pending", limit=100)) == 33
    assert record.grant("gr-1").used == 7
    record.close()
