"""Finding the plugin that a rulebook names: built in, beside it, in a collection, in a package."""

from __future__ import annotations

import difflib
import importlib
import importlib.util
import itertools
import os
import pkgutil
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from types import ModuleType

from selfheal.errors import SourceError

_NAME = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*", re.ASCII)
_RIVAL_PREFIXES = ("eda.builtin.", "ansible.eda.")
_OWN_PREFIX = "selfheal."
_loads = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Family:
    """One kind of plugin and the places where its members live."""

    noun: str
    """`source` or `filter`, for messages."""
    package: str
    """Package whose modules are the built-in plugins."""
    own: frozenset[str]
    """Built-ins that only we have: they do not answer to ansible-rulebook's prefixes."""
    folders: tuple[str, ...]
    """Folders searched below the rulebook's own folder, in order."""
    collection_folders: tuple[str, ...]
    """Folders searched inside a collection, in order."""
    entry_points: str
    """Group of Python entry points."""


@dataclass(frozen=True, slots=True)
class Places:
    """Where to look besides the built-ins."""

    rulebook_dir: Path | None = None
    """Folder of the rulebook that names the plugin."""
    plugin_dirs: tuple[Path, ...] = ()
    """Folders given on the command line; a plugin is a file directly inside."""
    collections: tuple[Path, ...] | None = None
    """Roots of Ansible collections; None: what Ansible itself would search."""


@dataclass(frozen=True, slots=True)
class Plugin:
    """What was found."""

    name: str
    """As the rulebook has it."""
    origin: str
    """`built in`, a path, or `entry point <name>`."""
    main: Callable[..., object]
    """Its entry point."""
    module: ModuleType | None
    """Its module; None for an entry point that is a plain function."""
    builtin: bool = False
    """Shipped with selfheal."""


def find_plugin(name: str, family: Family, places: Places) -> Plugin:
    """Return the plugin called `name`; the first place that has it wins.

    Raises `SourceError` when there is none, or when it can't be loaded.
    """
    if not _NAME.fullmatch(name):
        raise SourceError(f"{name!r} is not a {family.noun} name")
    if short := _builtin_name(name, family):
        return _load_builtin(name, short, family)
    for path in _candidate_files(name, family, places):
        if path.is_file():
            return _load_file(name, path, family)
    for entry in metadata.entry_points(group=family.entry_points):
        if entry.name == name:
            return _load_entry_point(name, entry, family)
    raise SourceError(_unknown(name, family, places))


def builtin_names(family: Family) -> list[str]:
    """Return the short names of the built-in plugins, sorted."""
    package = importlib.import_module(family.package)
    return sorted(module.name for module in pkgutil.iter_modules(package.__path__))


def _builtin_name(name: str, family: Family) -> str:
    names = builtin_names(family)
    prefix, _, short = name.rpartition(".")
    if short not in names:
        return ""
    if f"{prefix}." in _RIVAL_PREFIXES:
        return "" if short in family.own else short
    return short if prefix in ("", _OWN_PREFIX.rstrip(".")) else ""


def _candidate_files(name: str, family: Family, places: Places) -> Iterator[Path]:
    """Yield, best first, every file that would be the plugin."""
    short = name.rpartition(".")[2]
    if places.rulebook_dir is not None:
        # A rulebook inside a collection names its neighbours in full.
        for folder in family.folders:
            yield places.rulebook_dir / folder / f"{short}.py"
    for directory in places.plugin_dirs:
        yield directory / f"{short}.py"
    parts = name.split(".")
    if len(parts) == 3:
        for root in _collection_roots(places):
            for folder in family.collection_folders:
                yield root / parts[0] / parts[1] / folder / f"{short}.py"


def _collection_roots(places: Places) -> Iterator[Path]:
    roots = places.collections
    if roots is None:
        roots = tuple(_default_collections(places))
    for root in roots:
        yield root if root.name == "ansible_collections" else root / "ansible_collections"


def _default_collections(places: Places) -> Iterator[Path]:
    if places.rulebook_dir is not None:
        yield places.rulebook_dir / "collections"
        yield places.rulebook_dir.parent / "collections"
    configured = os.environ.get("ANSIBLE_COLLECTIONS_PATH")
    default = "~/.ansible/collections:/usr/share/ansible/collections"
    for part in (configured or default).split(os.pathsep):
        if part:
            yield Path(part).expanduser()
    yield from (Path(entry) for entry in sys.path if entry)


def _load_builtin(name: str, short: str, family: Family) -> Plugin:
    module = importlib.import_module(f"{family.package}.{short}")
    return Plugin(name, "built in", module.main, module, builtin=True)


def _load_file(name: str, path: Path, family: Family) -> Plugin:
    # Each use gets a module of its own, so two sources never share a plugin's global state.
    module_name = f"selfheal_{family.noun}_plugin_{next(_loads)}"
    spec = importlib.util.spec_from_file_location(module_name, path)
    if spec is None or spec.loader is None:
        raise SourceError(f"{family.noun} plugin {name}: {path} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module  # dataclasses look their module up there
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[module_name]
        raise SourceError(_load_failure(name, str(path), family, error)) from error
    return Plugin(name, str(path), _main_of(module, name, str(path), family), module)


def _load_entry_point(name: str, entry: metadata.EntryPoint, family: Family) -> Plugin:
    origin = f"entry point {entry.value}"
    try:
        loaded = entry.load()
    except Exception as error:
        raise SourceError(_load_failure(name, origin, family, error)) from error
    if isinstance(loaded, ModuleType):
        return Plugin(name, origin, _main_of(loaded, name, origin, family), loaded)
    if not callable(loaded):
        raise SourceError(f"{family.noun} plugin {name} ({origin}) is no function and no module")
    return Plugin(name, origin, loaded, None)


def _main_of(module: ModuleType, name: str, origin: str, family: Family) -> Callable[..., object]:
    main = getattr(module, "main", None)
    if not callable(main):
        raise SourceError(f"{family.noun} plugin {name} ({origin}) has no function main")
    found: Callable[..., object] = main
    return found


def _load_failure(name: str, origin: str, family: Family, error: Exception) -> str:
    text = f"{family.noun} plugin {name} ({origin}) can't be loaded: "
    if isinstance(error, ModuleNotFoundError) and error.name:
        return f"{text}it needs the Python package {error.name}, which is not installed"
    return f"{text}{type(error).__name__}: {error}"


def _unknown(name: str, family: Family, places: Places) -> str:
    text = f"unknown {family.noun} {name!r}"
    known = list(_known_names(family, places))
    short = name.rpartition(".")[2]
    near = (
        [full for full in known if full.rpartition(".")[2] == short]
        or difflib.get_close_matches(name, known, n=1)
        or difflib.get_close_matches(short, known, n=1)
    )
    if near:
        return f"{text}: did you mean {near[0]!r}?"
    return f"{text}: not built in, not beside the rulebook, not in an installed collection"


def _known_names(family: Family, places: Places) -> Iterable[str]:
    for short in builtin_names(family):
        yield f"{_OWN_PREFIX}{short}" if short in family.own else short
        if short not in family.own:
            yield f"{_RIVAL_PREFIXES[0]}{short}"
    local = [places.rulebook_dir / f for f in family.folders] if places.rulebook_dir else []
    for directory in [*local, *places.plugin_dirs]:
        yield from (path.stem for path in sorted(directory.glob("[!_]*.py")))
    yield from (entry.name for entry in metadata.entry_points(group=family.entry_points))
