"""The folder on a managed host in which steps remember: its name can be guessed."""

from __future__ import annotations

import importlib.util
import os
import time
from pathlib import Path
from typing import Any

import pytest

UTILS = Path(__file__).parents[2] / "playbooks" / "module_utils" / "selfheal_memory.py"


@pytest.fixture(scope="module")
def memory() -> Any:
    """The module utility, loaded the way Ansible's modules see it."""
    spec = importlib.util.spec_from_file_location("selfheal_memory", UTILS)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_folder_of_ours_is_made_private(memory: Any, tmp_path: Path) -> None:
    """What is missing is made, readable by nobody else."""
    path = tmp_path / "selfheal-1" / "at-1-0"
    memory.private_directory(str(path))
    assert {path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777} == {0o700}


@pytest.mark.parametrize("inside", ["", "cache"])
@pytest.mark.parametrize("loose", ["selfheal-1", "selfheal-1/at-1-0"])
def test_a_loose_folder_is_refused(memory: Any, tmp_path: Path, loose: str, inside: str) -> None:
    """A folder others may write to, those above included, is not trusted."""
    path = tmp_path / "selfheal-1" / "at-1-0" / inside
    path.mkdir(parents=True, mode=0o700)
    (tmp_path / loose).chmod(0o777)
    with pytest.raises(memory.MemoryRefused, match="others may write"):
        memory.private_directory(str(path))


def test_what_steps_left_goes_after_a_week(memory: Any, tmp_path: Path) -> None:
    """A new step removes what others left a week ago; never what is younger, what belongs to its
    own attempt, what is not a step's, nor what a link leads to."""
    root, elsewhere = tmp_path / "selfheal-1", tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "precious").touch()
    old, young = ["at-1-0", "at-1-1", "mine-0", "at-9-0"], ["at-2-0"]
    for name in [*old, *young]:
        (root / name / "cache").mkdir(parents=True, mode=0o700)
    (root / "at-3-0").symlink_to(elsewhere)
    for name, days in [*((name, 7.01) for name in old), *((name, 6.99) for name in young)]:
        then = time.time() - days * 24 * 3600
        os.utime(root / name, (then, then))
    os.utime(root / "at-3-0", (0, 0), follow_symlinks=False)
    root.chmod(0o700)
    memory.private_directory(str(root / "at-9-1" / "cache"))
    left = {path.name for path in root.iterdir()}
    assert left == {"at-2-0", "at-3-0", "at-9-0", "at-9-1", "mine-0"}
    assert (elsewhere / "precious").exists()


def test_by_hand_nothing_is_removed(memory: Any, tmp_path: Path) -> None:
    """Only the engine's own folders are tidied up."""
    (tmp_path / "at-1-0").mkdir()
    os.utime(tmp_path / "at-1-0", (0, 0))
    memory.private_directory(str(tmp_path / "at-2-0"))
    assert (tmp_path / "at-1-0").exists()


def test_a_folder_of_somebody_else_is_refused(
    memory: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who made the folder before us could swap what is in it."""
    path = tmp_path / "selfheal-1" / "at-1-0"
    path.mkdir(parents=True, mode=0o700)
    if os.geteuid() == 0:
        os.chown(path.parent, 12345, 12345)
    else:
        monkeypatch.setattr(os, "geteuid", lambda: 12345)
    with pytest.raises(memory.MemoryRefused, match="belongs to user"):
        memory.private_directory(str(path))


def test_a_link_is_refused(memory: Any, tmp_path: Path) -> None:
    """A link to a private folder is not one."""
    (tmp_path / "private").mkdir(mode=0o700)
    (tmp_path / "selfheal-1").symlink_to(tmp_path / "private")
    with pytest.raises(memory.MemoryRefused):
        memory.private_directory(str(tmp_path / "selfheal-1" / "at-1-0"))
