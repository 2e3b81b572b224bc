"""Shipped content: the rulebooks, playbooks and inventory an ops team copies and edits."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import click

_PACKAGE = Path(__file__).parent
_CONTENT = ("playbooks", "rulebooks", "inventory")
_LEFT_OUT = ("__pycache__", ".gitkeep")


def content_root() -> Path:
    """Return the folder that holds `playbooks/`, `rulebooks/` and `inventory/`.

    In an installed wheel they lie inside the package, in a checkout at its top.
    """
    packed = _PACKAGE / "content"
    return packed if packed.is_dir() else _PACKAGE.parents[1]


def copy_example(folder: Path) -> list[Path]:
    """Write the example project into `folder`; return the files written, sorted.

    Raises `click.UsageError`, before anything is written, when a file of it is there already.
    """
    plan = dict(_files(folder))
    there = [str(path) for path in plan if path.exists()]
    if there:
        raise click.UsageError(f"{', '.join(sorted(there)[:3])}: there already; nothing written")
    for target, source in plan.items():
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)
    return sorted(plan)


def _files(folder: Path) -> Iterator[tuple[Path, Path]]:
    """Yield each file to write and the one it is copied from."""
    example, root = _PACKAGE / "example", content_root()
    for base, sources in [(example, [example]), (root, [root / name for name in _CONTENT])]:
        for source in (path for top in sources for path in top.rglob("*")):
            relative = source.relative_to(base)
            if source.is_file() and not set(relative.parts) & set(_LEFT_OUT):
                yield folder / relative, source
