"""Agreement with recordings of ansible-rulebook, and what the comparison itself is worth."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from benchmarks import conformance
from benchmarks.conformance_kinds.verdict import Agreement

ROOT = Path(__file__).resolve().parents[2]
RECORDINGS = Path(os.environ.get("SELFHEAL_CONFORMANCE", ROOT.parent / "shared" / "conformance"))

DATA = Path(__file__).parent / "data"
BOOK = (DATA / "every_node.yml").read_text()
TREES = json.loads((DATA / "every_node.json").read_text())


def record(folder: Path, book: str, **entry: object) -> Path:
    (folder / "ast").mkdir()
    (folder / "book.yml").write_text(book)
    line = json.dumps({"case": "c", "rulebook": "book.yml", "vars": {"limit": 5}, **entry})
    (folder / "ast" / "rulebooks.jsonl").write_text(line + "\n")
    return folder


@pytest.mark.parametrize(
    ("book", "entry", "agreement"),
    [
        (BOOK, {"rulesets": TREES}, Agreement.AGREE),
        (BOOK.replace("i + 1", "i + 2"), {"rulesets": TREES}, Agreement.DIFFER),
        (BOOK, {"error": {"message": "no"}}, Agreement.DIFFER),
        (BOOK.replace("vars.limit", "vars.none"), {"error": {"message": "no"}}, Agreement.AGREE),
        (BOOK.replace("vars.limit", "vars.none"), {"rulesets": TREES}, Agreement.DIFFER),
        (BOOK + "      enabled: true\n", {"rulesets": TREES}, Agreement.ON_PURPOSE),
    ],
)
def test_the_comparison_tells_agreement_from_difference(
    tmp_path: Path, book: str, entry: dict[str, object], agreement: Agreement
) -> None:
    """A replay is worth something only if it can fail: each verdict is reached."""
    [verdict] = conformance.replay("ast", record(tmp_path, book, **entry))
    assert verdict.agreement is agreement, verdict.detail


def test_the_last_line_is_one_json_object(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Programs read the counts from the last line, people the differences above it."""
    folder = record(tmp_path, BOOK, error={"message": "no"})
    assert conformance.main(["--from", str(folder)]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("ast differ: c: we take what the original refuses")
    assert json.loads(lines[-1]) == {"ast": {"agree": 0, "on_purpose": 0, "differ": 1}}


@pytest.mark.skipif(not RECORDINGS.is_dir(), reason="no recordings: set SELFHEAL_CONFORMANCE")
def test_no_recorded_rulebook_is_understood_otherwise() -> None:
    """What the original accepts, refuses and makes of each recorded file, we do too."""
    verdicts = list(conformance.replay("ast", RECORDINGS))
    assert len(verdicts) > 100
    assert [item for item in verdicts if item.agreement is Agreement.DIFFER] == []
    assert all(item.detail for item in verdicts if item.agreement is Agreement.ON_PURPOSE)
