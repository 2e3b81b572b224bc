"""Where a project's secrets stand: configuration, sources, actions, environment. All are learned.

Nothing here decides what is done with them; `Secrets` hides them from then on.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from pydantic import BaseModel, SecretStr

from selfheal.config import Project
from selfheal.config.secret import Secret
from selfheal.errors import ConfigError, Problem
from selfheal.masking import SHORTEST, Secrets, looks_secret

_CONNINFO = re.compile(r"\bpassword\s*=\s*(?:'((?:[^'\\]|\\.)*)'|(\S+))")
# Chat services put the token into the path.
_TOKEN_IN_PATH = re.compile(r"(?=.*\d)[\w:@~%+=-]{16,}", re.ASCII)
_ENVIRONMENT = ("EDA_CONTROLLER_TOKEN", "EDA_CONTROLLER_PASSWORD", "SELFHEAL_LINK_KEY")


def learn_project(secrets: Secrets, project: Project) -> None:
    """Learn what `selfheal.yml` holds or points to, and what the controller is logged in with.

    Raises ConfigError for a secret that can't be hidden. A file that can't be read is left to
    whoever needs it."""
    config = project.config
    place = "selfheal.yml"
    _learn_hidden(secrets, config, project.root, place)
    data = config.model_dump(mode="python")
    learn_arguments(secrets, data, place)
    for name, path in _secret_files(data):
        secrets.learn(_content(project.root / path), f"{place}: {name}")
    for webhook in config.notify.webhooks:
        url = webhook.url if isinstance(webhook.url, str) else ""
        secrets.learn_named({"token": list(_in_path(url))}, f"{place}: notify.webhooks")
    for variable in _ENVIRONMENT:
        secrets.learn(os.environ.get(variable, ""), f"environment variable {variable}")


def learn_arguments(secrets: Secrets, args: Any, place: str) -> None:
    """Learn from the arguments of a source or an action: by name, and inside URLs and DSNs."""
    secrets.learn_named(args, place)
    for text in _texts(args):
        for found in _within(text):
            if len(found) >= SHORTEST and "{{" not in found:
                secrets.learn_named({"password": found}, place)


def learn_read(secrets: Secrets, text: str, place: str) -> None:
    """Learn what was just read from a secret's file or variable; of a URL its parts as well."""
    found = [part for part in (*_within(text), *_in_path(text)) if len(part) >= SHORTEST]
    secrets.learn_named({"token": [text, *found]}, place)


def file_or_environment(name: str, environ: Mapping[str, str], secrets: Secrets) -> str:
    """Return environment variable `name`, or what the file that `<name>_FILE` names holds.

    A value from a file is a secret, and so is one whose name looks like a secret's. Raises
    ConfigError when neither is set, both are, or the file can't be read."""
    path, place = environ.get(f"{name}_FILE"), f"environment variable {name}"
    if name in environ and path:
        raise ConfigError([Problem(f"{place} and {name}_FILE are both set: which is it?")])
    if path:
        try:
            value = Path(path).read_text(encoding="utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError([Problem(f"{name}_FILE can't be read: {error}")]) from error
        secrets.learn(value, f"{name}_FILE")
        return value
    if name not in environ:
        raise ConfigError([Problem(f"{place} is not set, nor is {name}_FILE")])
    if looks_secret(name):
        secrets.learn(environ[name], place)
    return environ[name]


def _learn_hidden(secrets: Secrets, value: Any, root: Path, place: str) -> None:
    """What the configuration declares as secret, or as read from a file or the environment."""
    if isinstance(value, SecretStr):
        secrets.learn(value, place)
    elif isinstance(value, Secret):
        with suppress(ConfigError):  # whoever needs it says that it can't be read
            value.read(root, partial(learn_read, secrets, place=place))
    elif isinstance(value, BaseModel | Mapping):
        for name, part in value.items() if isinstance(value, Mapping) else value:
            _learn_hidden(secrets, part, root, f"{place}: {name}")
    elif isinstance(value, list | tuple):
        for part in value:
            _learn_hidden(secrets, part, root, place)


def _secret_files(data: Any) -> Iterator[tuple[str, str]]:
    """`password_file: PATH` and its like, wherever they stand."""
    if isinstance(data, list | tuple):
        for item in data:
            yield from _secret_files(item)
    if isinstance(data, Mapping):
        for key, item in data.items():
            name = str(key)
            named = name.endswith("_file") and looks_secret(name.removesuffix("_file"))
            if named and isinstance(item, str) and item:
                yield name, item
            yield from _secret_files(item)


def _content(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""


def _texts(data: Any) -> Iterator[str]:
    if isinstance(data, str):
        yield data
    elif isinstance(data, Mapping):
        for item in data.values():
            yield from _texts(item)
    elif isinstance(data, list | tuple):
        for item in data:
            yield from _texts(item)


def _within(text: str) -> Iterator[str]:
    """Passwords inside a URL (`//user:password@`, `?token=`) or a libpq connection string."""
    if "://" in text:
        try:
            parts = urlsplit(text)
            yield unquote(parts.password or "")
        except ValueError:
            return
        yield from (value for name, value in parse_qsl(parts.query) if looks_secret(name))
    elif match := _CONNINFO.search(text):
        yield match[1] or match[2] or ""


def _in_path(url: str) -> Iterator[str]:
    """Tokens in the path of a URL, with or without its scheme."""
    with suppress(ValueError):
        parts = urlsplit(url).path.split("/")
        yield from (part for part in parts if _TOKEN_IN_PATH.fullmatch(part))
