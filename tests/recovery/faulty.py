"""A record that takes no writes for a while, as on a full disk."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

from selfheal.errors import StoreError


class Disk:
    """Stands between a record and its file; reading goes on whatever it does."""

    def __init__(self, record: Any) -> None:
        self.full = False
        self.writes_left: int | None = None
        """Not None: so many more transactions are taken, then the disk is full."""
        self._depth = 0
        self._write = record._db.writing
        record._db.writing = self._writing

    @contextmanager
    def _writing(self, *, durable: bool = True) -> Generator[None]:
        if self._depth == 0:
            self._count()
        self._depth += 1
        try:
            with self._write(durable=durable):
                yield
        finally:
            self._depth -= 1

    def _count(self) -> None:
        if self.writes_left is not None:
            self.full = self.full or self.writes_left <= 0
            self.writes_left -= 1
        if self.full:
            raise StoreError("the disk is full")
