"""`rails:` in selfheal.yml: what is wrong is refused whole, with its place and a hint."""

from __future__ import annotations

from pathlib import Path

import pytest

from selfheal.config import Rails, load_project
from selfheal.errors import ConfigError


def written(folder: Path, text: str) -> Rails:
    (folder / "selfheal.yml").write_text(text)
    return load_project(folder).config.rails


@pytest.mark.parametrize(
    ("text", "place", "said"),
    [
        ("rails:\n  limit: []\n", "2:3", "did you mean 'limits'"),
        ("rails:\n  cooldown: 0s\n", "2:13", "greater than 0"),
        ("rails:\n  settle: -5\n", "2:11", "greater than"),
        ("rails:\n  breaker:\n    failures: 0\n", "3:15", "greater than or equal to 1"),
        ("rails:\n  breaker:\n    rest: soon\n", "3:11", "is not a duration"),
        ("rails:\n  breaker: true\n", "2:12", "must be a mapping, not true"),
        ("rails:\n  flapping:\n    openings: 1\n", "3:15", "greater than or equal to 2"),
        ("rails:\n  storm:\n    share: 120%\n", "3:12", "at most 100 %"),
        ("rails:\n  storm:\n    share: 0.5\n", "3:12", "must be a per cent"),
        ("rails:\n  limits:\n    - {per: target, max: 0, every: 1h}\n", "3:26", "at least 1"),
        ("rails:\n  limits:\n    - {per: target, max: 3}\n", "3:7", "either `every` or `at_once"),
        (
            "rails:\n  limits:\n    - {per: target, max: 3, every: 1h, at_once: true}\n",
            "3:7",
            "either `every` or `at_once",
        ),
        ("rails:\n  limits:\n    - {per: target, max: 20%, every: 1h}\n", "3:7", "per group or"),
        (
            "rails:\n  limits:\n    - {per: [group, rule], max: 2, every: 1h}\n",
            "3:7",
            "stand alone",
        ),
        ("rails:\n  limits:\n    - {per: host, max: 2, every: 1h}\n", "3:13", "'target'"),
        ("rails:\n  limits:\n    - {per: [], max: 2, every: 1h}\n", "3:13", "at least 1 item"),
        ("rails:\n  limits:\n    - {per: target, max: 2.5, every: 1h}\n", "3:26", "whole number"),
        ("rails:\n  targets: {max_share: 0%}\n", "2:24", "more than 0 %"),
        ("rails:\n  autonomy: {default: always}\n", "2:23", "'observe'"),
        ("rails:\n  autonomy: {propose: {lower_bound: 1.5}}\n", "2:37", "less than 1"),
    ],
)
def test_what_is_wrong_and_where(tmp_path: Path, text: str, place: str, said: str) -> None:
    """A zero never means `no limit`, and the message stands at the value."""
    with pytest.raises(ConfigError) as caught:
        written(tmp_path, text)
    [problem] = caught.value.problems
    assert f"{problem.line}:{problem.column}" == place
    assert said in f"{problem.message} {problem.hint}"


WINDOW = "rails:\n  maintenance:\n    - name: night\n      time_intervals:\n        - "


@pytest.mark.parametrize(
    ("text", "place", "said"),
    [
        ('times: [{start_time: "25:00", end_time: "26:00"}]', "5:33", "time of day"),
        ('times: [{start_time: "22:00", end_time: "02:00"}]', "5:19", "over midnight write two"),
        ('times: [{start_time: "02:00"}]', "5:19", "'end_time' is missing"),
        ("weekdays: [mon]", "5:22", "is no weekday"),
        ('weekdays: ["friday:monday"]', "5:23", "ends before it begins"),
        ("days_of_month: [0]", "5:27", "no day of the month"),
        ('days_of_month: ["-1:1"]', "5:28", "from the end to the beginning"),
        ("days_of_month: [1:45]", "5:27", 'put quotes around it: "1:5"'),
        ("months: [13]", "5:20", "is no month"),
        ("years: [26]", "5:19", "is no year"),
        ("location: Berlin", "5:21", "must be a time zone"),
        ("locations: Europe/Berlin", "5:11", "did you mean 'location'"),
    ],
)
def test_wrong_time_intervals(tmp_path: Path, text: str, place: str, said: str) -> None:
    """Whatever Alertmanager refuses is refused, and what it says wrongly silently, too."""
    with pytest.raises(ConfigError) as caught:
        written(tmp_path, WINDOW + text + "\n")
    problem = caught.value.problems[0]
    assert f"{problem.line}:{problem.column}" == place
    assert said in f"{problem.message} {problem.hint}"


def test_a_wrong_matcher_is_shown_at_its_character(tmp_path: Path) -> None:
    """The column is that of the broken expression inside the text."""
    text = "rails:\n  maintenance:\n    - {name: x, match: ['target=~a[b'], time_intervals: [{}]}\n"
    with pytest.raises(ConfigError, match="no regular expression") as caught:
        written(tmp_path, text)
    [problem] = caught.value.problems
    assert text.splitlines()[2][problem.column - 1 :].startswith("[b'")


def test_off(tmp_path: Path) -> None:
    """Each rail that can be switched off is so by `off`, and stays on otherwise."""
    names = ["cooldown", "settle", "breaker", "flapping", "storm", "ramp_up"]
    off = written(tmp_path, "rails:\n" + "".join(f"  {name}: off\n" for name in names))
    assert [getattr(off, name) for name in names] == [None] * len(names)
    assert all(getattr(Rails(), name) for name in names)


def test_the_configuration_can_be_shown(tmp_path: Path) -> None:
    """It can be written out and read again, and editors get its schema."""
    text = (
        "rails:\n  limits: [{per: group, max: 20%, at_once: true}]\n"
        "  maintenance: [{name: x, match: ['a=b'], time_intervals: [{location: Asia/Tokyo}]}]\n"
    )
    found = written(tmp_path, text)
    assert Rails.model_validate(found.model_dump() | {"limits": found.limits}) == found
    assert "limits" in Rails.model_json_schema()["properties"]
