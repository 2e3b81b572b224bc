"""docs/rails.md: what it shows is true."""

from __future__ import annotations

import re
from pathlib import Path
from textwrap import dedent

import pytest
from pydantic import BaseModel

from selfheal.config import Rails, load_project
from selfheal.config import rails as sections
from selfheal.config.time_intervals import TimeInterval, TimeRange
from selfheal.model import Stage
from selfheal.rails import RAILS

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "rails.md").read_text()
EXAMPLES = re.findall(r"^```yaml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
SECTIONS = (
    Rails, sections.Limit, sections.Breaker, sections.Flapping, sections.Storm, sections.Window,
    sections.RampUp, sections.Targets, sections.RuleAutonomy, sections.Demote, sections.Propose,
    TimeInterval, TimeRange,
)  # fmt: skip


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_every_example_is_a_sound_configuration(tmp_path: Path, number: int) -> None:
    """What the page shows can be copied."""
    (tmp_path / "selfheal.yml").write_text(dedent(EXAMPLES[number]))
    assert load_project(tmp_path).config.rails


def test_the_first_example_is_the_defaults(tmp_path: Path) -> None:
    """Written out in full it changes nothing."""
    (tmp_path / "selfheal.yml").write_text(EXAMPLES[0])
    assert load_project(tmp_path).config.rails == Rails()


def test_the_table_of_stages_is_that_of_the_code() -> None:
    """Order, stages and whom each rail binds."""
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in PAGE.split("## Reasons")[0].splitlines()
        if line.startswith("| ") and not line.startswith("| rail ")
    ]
    stages = (Stage.START, Stage.RUNG, Stage.BATCH, Stage.RETRY)
    assert [row[:5] for row in rows] == [
        [rail.ask.__name__, *("●" if stage in rail.stages else "" for stage in stages)]
        for rail in RAILS
    ]
    assert [bool(row[5]) for row in rows] == [rail.by_hand for rail in RAILS]


@pytest.mark.parametrize("model", SECTIONS, ids=lambda one: one.__name__)
def test_no_key_is_left_out(model: type[BaseModel]) -> None:
    """Every key of the configuration is on the page."""
    for key in model.model_fields:
        assert re.search(rf"\b{key}\b", PAGE), key
