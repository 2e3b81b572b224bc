"""The page on sources and filters tells all there is."""

import importlib
import inspect
import re
from pathlib import Path

import pytest

from selfheal.filters import builtin_filters
from selfheal.sources import builtin_sources

PAGE = Path(__file__).parents[2] / "docs" / "sources-and-filters.md"


@pytest.mark.parametrize("source", builtin_sources())
def test_every_argument_is_told(source: str) -> None:
    """Each source has its section, with every argument it takes in it."""
    args = importlib.import_module(f"selfheal.sources.builtin.{source}").Args
    section = re.search(rf"^### {source}\n(.*?)(?=^##)", PAGE.read_text(), re.M | re.S)
    assert section, f"no section on {source}"
    told = set(re.findall(r"`(\w+)`", section[1]))
    assert not set(args.model_fields) - told


@pytest.mark.parametrize("name", builtin_filters())
def test_every_filter_is_told(name: str) -> None:
    """Each filter has its line, with every argument it takes in it."""
    main = importlib.import_module(f"selfheal.filters.builtin.{name}").main
    line = re.search(rf"^\| `{name}` .*$", PAGE.read_text(), re.M)
    assert line, f"no line on {name}"
    known = set(inspect.signature(main).parameters) - {"event", "clock"}
    assert not known - set(re.findall(r"`(\w+)`", line[0]))
