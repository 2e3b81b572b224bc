"""Several processes and sudden death: real processes on one file."""

import subprocess
import sys
from pathlib import Path

from selfheal.store import open_record

START = """
import sys
from selfheal.store import open_record
from selfheal.errors import StoreError
from tests.store.nouns import a_healing
print("ready", flush=True)
sys.stdin.readline()
record = open_record(sys.argv[1])
won = 0
for n in range(60):
    try:
        healing = a_healing(fault_id=f"ft-{n}", resource=f"web{n}")
        record.add_healing(healing)
        won += 1
    except StoreError:
        pass
for healing in record.healings(limit=100, state="queued"):
    record.start_healing(healing.id, 1.0)
print(won)
"""
WRITE = """
import sys
from selfheal.store import open_record
from selfheal.model import Kind
from tests.store.nouns import a_fault
record = open_record(sys.argv[1])
n = 0
while True:
    n += 1
    with record.transaction():
        fault, new = record.open_fault(a_fault(fingerprint=f"{sys.argv[2]}-{n}"))
        record.tell(Kind.FAULT, "opened", incident_id=fault.incident_id)
    print(n, flush=True)
"""


def python(code: str, *args: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code, *args],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )


def test_three_processes_never_open_two_healings_for_a_fault(file: Path) -> None:
    """Processes that race for 60 faults on a fresh file get each fault once, all together."""
    racers = [python(START, str(file)) for _ in range(3)]
    for racer in racers:
        assert racer.stdout
        assert racer.stdout.readline() == "ready\n"
    answers = []
    for racer in racers:
        assert racer.stdin
        racer.stdin.write("go\n")
        racer.stdin.flush()
    for racer in racers:
        answers.append(int(racer.communicate(timeout=60)[0]))
        assert racer.returncode == 0
    record = open_record(file)
    healings = record.healings(limit=1000)
    record.close()
    assert sum(answers) == len(healings) == 60
    assert len({healing.fault_id for healing in healings}) == 60
    assert {healing.state.value for healing in healings} == {"running"}


def test_kill_9_leaves_a_readable_file_and_loses_nothing_told(file: Path) -> None:
    """What was reported as written is there, whole, after each of five kills in mid-write."""
    written = 0
    for life in range(5):
        writer = python(WRITE, str(file), str(life))
        assert writer.stdout
        for _ in range(10 + 7 * life):
            done = int(writer.stdout.readline())
        writer.kill()
        rest = writer.communicate(timeout=60)[0].split()
        written += int(rest[-1]) if rest else done
        record = open_record(file)
        health = next(iter(record.db.query("PRAGMA integrity_check")))
        incidents, entries = record.incidents(limit=10_000), record.entries(limit=10_000)
        for incident in incidents:
            assert record.fault(incident.primary_fault_id).incident_id == incident.id
        record.close()
        assert health == {"integrity_check": "ok"}
        # The last block of each life may be on disk before its number was told.
        assert written <= len(incidents) <= written + life + 1
        assert [entry.seq for entry in entries] == list(range(1, len(incidents) + 1))
