"""A value that stands in a file or in the environment, never in the configuration itself."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Self

from pydantic import Field, model_validator

from selfheal.errors import ConfigError, Problem
from selfheal.strict import Strict, refusal

Learn = Callable[[str], None]
"""Is told each secret that was read, before anybody uses it: from then on it is hidden."""


def tell_nobody(secret: str) -> None:
    """Learn nothing: whoever reads the secret does not show it."""


class Secret(Strict):
    """Where a secret is read from, each time it is needed: a new one needs no restart."""

    file: str = Field("", description="File that holds it; a trailing line break is dropped.")
    env: str = Field(
        "", description="Environment variable that holds it, or NAME_FILE the path of its file."
    )

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if bool(self.file) == bool(self.env):
            raise refusal("a secret is read from one place", "write {file: PATH} or {env: NAME}")
        return self

    def read(self, root: Path = Path(), learn: Learn = tell_nobody) -> str:
        """Return the secret, which `learn` was told; a relative path is taken from `root`.

        Raises ConfigError."""
        secret = self._content(root)
        learn(secret)
        return secret

    def _content(self, root: Path) -> str:
        if self.env and self.env in os.environ:
            return os.environ[self.env]
        path = self.file or os.environ.get(f"{self.env}_FILE", "")
        if not path:
            hint = f"set {self.env}, or {self.env}_FILE to the path of a file"
            raise ConfigError([Problem(f"the environment has no {self.env}", hint=hint)])
        try:
            return (root / path).read_text().rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            why = getattr(error, "strerror", None) or "it is no text"
            raise ConfigError(
                [Problem(f"a secret can't be read: {why}", str(root / path))]
            ) from error


def read_value(value: str | Secret, root: Path = Path(), learn: Learn = tell_nobody) -> str:
    """Return the text, or the secret it refers to, which `learn` was told. Raises ConfigError."""
    return value.read(root, learn) if isinstance(value, Secret) else value
