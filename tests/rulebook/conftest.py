from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import pytest

from selfheal.errors import Problem, RulebookError
from selfheal.rulebook import load_rulebook

Write = Callable[[str], Path]
Refused = Callable[..., tuple[Problem, ...]]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a rulebook file and return its path."""

    def write_it(text: str) -> Path:
        path = tmp_path / "book.yml"
        path.write_text(dedent(text))
        return path

    return write_it


@pytest.fixture
def refused(write: Write) -> Refused:
    """Load a text that must be refused and return its problems."""

    def load_it(text: str, **options: object) -> tuple[Problem, ...]:
        with pytest.raises(RulebookError) as caught:
            load_rulebook(write(text), **options)  # type: ignore[arg-type]  # passed on as given
        return caught.value.problems

    return load_it
