"""What the project ships for a web tier, moved to this run's addresses: nothing else is changed."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from selfheal.content import content_root

ROOT = content_root()
EXAMPLE = ROOT / "engine/selfheal/example/selfheal.yml"
MONITORING = ROOT / "packaging/web-tier"


def move(name: str, folder: Path, addresses: Mapping[str, str]) -> None:
    """Copy a file of packaging/web-tier, each shipped address replaced by the real one."""
    text = (MONITORING / name).read_text()
    for shipped, real in addresses.items():
        assert shipped in text, f"{name} does not say {shipped}"
        text = text.replace(shipped, real)
    (folder / name).write_text(text)


def write_project(folder: Path, variables: Mapping[str, Any], **settings: Any) -> None:
    """Make a project folder of the shipped rulebook, playbooks and inventory.

    `variables` are those of the example's selfheal.yml, no more and no fewer.
    """
    example = yaml.safe_load(EXAMPLE.read_text())["vars"]
    assert set(example) == set(variables), f"not in both: {set(example) ^ set(variables)}"
    (folder / "rulebooks").mkdir()
    shutil.copy(ROOT / "rulebooks/web-tier.yml", folder / "rulebooks")
    for name in ("playbooks", "inventory"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    # JSON is YAML.
    (folder / "selfheal.yml").write_text(json.dumps({"vars": dict(variables), **settings}))
