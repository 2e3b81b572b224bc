from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path

import pytest

from selfheal.config import load_project
from selfheal.errors import ConfigError
from selfheal.model import Risk


def test_a_project_without_configuration_has_the_defaults(tmp_path: Path) -> None:
    """An empty folder is a project: every key of selfheal.yml has a default."""
    project = load_project(tmp_path)
    assert project.rulebooks == tmp_path / "rulebooks"
    assert project.database == tmp_path / ".selfheal" / "selfheal.db"
    assert project.config.approval.risk is Risk.HIGH


def test_durations_and_nested_keys_are_read(tmp_path: Path) -> None:
    """Durations are written as everywhere else."""
    (tmp_path / "selfheal.yml").write_text(
        "drain_timeout: 1m30s\n"
        "notify:\n  webhooks:\n    - {url: 'http://127.0.0.1:1/', timeout: 2s}\n"
    )
    config = load_project(tmp_path).config
    assert config.drain_timeout == 90
    assert config.notify.webhooks[0].timeout == 2


def test_every_problem_is_told_at_once_with_its_place(tmp_path: Path) -> None:
    """Two wrong keys give two problems, each with line, column and a hint."""
    (tmp_path / "selfheal.yml").write_text("playbook: x\nmax_parallel: 0\n")
    with pytest.raises(ConfigError) as caught:
        load_project(tmp_path)
    problems = {problem.line: problem for problem in caught.value.problems}
    assert set(problems) == {1, 2}
    assert "playbooks" in problems[1].hint
    assert problems[1].file.endswith("selfheal.yml")
    assert "max_parallel" in problems[2].path


def test_broken_yaml_is_a_config_error(tmp_path: Path) -> None:
    """A selfheal.yml that is no YAML is refused with its place, not by a traceback."""
    (tmp_path / "selfheal.yml").write_text("vars: [1,\n")
    with pytest.raises(ConfigError) as caught:
        load_project(tmp_path)
    assert caught.value.problems[0].line > 0


def test_no_folder_no_project(tmp_path: Path) -> None:
    """A project folder that does not exist is an error that says how to start one."""
    with pytest.raises(ConfigError, match="selfheal init"):
        load_project(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("written", "bytes_"),
    [
        ("500MB", 500_000_000),
        ("2 GiB", 2 * 1024**3),
        ("1.5kb", 1500),
        ("4096", 4096),
        ("null", None),
    ],
)
def test_sizes_are_written_with_units(tmp_path: Path, written: str, bytes_: int | None) -> None:
    """Decimal and binary units, plain bytes, and no bound at all."""
    (tmp_path / "selfheal.yml").write_text(f"retention: {{max_size: {written}}}\n")
    assert load_project(tmp_path).config.retention.max_size == bytes_


@pytest.mark.parametrize("wrong", ["much", "5 parsecs", "-1", "MB"])
def test_what_is_no_size_is_refused(tmp_path: Path, wrong: str) -> None:
    """The error says how a size is written, or that it can't be negative."""
    (tmp_path / "selfheal.yml").write_text(f"retention: {{max_size: {wrong}}}\n")
    with pytest.raises(ConfigError, match=r"is no size; write 500MB|greater than or equal to 0"):
        load_project(tmp_path)


def test_what_the_example_has_in_comments_is_configuration(tmp_path: Path) -> None:
    """Every commented line of `selfheal init`'s selfheal.yml can be taken in as it stands."""
    example = files("selfheal").joinpath("example/selfheal.yml").read_text()
    prose = re.compile("# [A-Z]")
    lines = [line for line in example.splitlines() if not prose.match(line)]
    (tmp_path / "selfheal.yml").write_text("\n".join(line.removeprefix("# ") for line in lines))
    config = load_project(tmp_path).config
    assert config.api is not None
    assert config.notify.webhooks
    assert config.rails.maintenance[0].name == "nights"


def test_what_limits_count_is_kept_long_enough(tmp_path: Path) -> None:
    """A limit over a month needs a month of incidents."""
    text = "rails: {limits: [{per: target, max: 3, every: 30d}]}\nretention: {incidents: 7d}\n"
    (tmp_path / "selfheal.yml").write_text(text)
    with pytest.raises(ConfigError, match="shorter than a limit of the rails"):
        load_project(tmp_path)
