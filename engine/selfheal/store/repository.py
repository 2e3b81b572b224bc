"""What the repositories of the single nouns share."""

from __future__ import annotations

from typing import Any

from selfheal.clock import Clock
from selfheal.errors import NotFoundError
from selfheal.store.connection import Connection


class Repository:
    """One noun's statements on the shared connection; keeps no state of its own."""

    def __init__(self, db: Connection, clock: Clock) -> None:
        self._db = db
        self._clock = clock

    def _one(self, table: str, ident: str, *, key: str = "id") -> dict[str, Any]:
        """Return the row with that id. Raises NotFoundError."""
        row = self._db.row(f'SELECT * FROM "{table}" WHERE "{key}" = ?', (ident,))  # noqa: S608 (names are the code's own)
        if row is None:
            raise NotFoundError(f"the record has no {table.removesuffix('s')} {ident!r}")
        return row

    def _by_prefix(self, table: str, ident: str) -> dict[str, Any]:
        """Return the row whose id is, or alone begins with, `ident`. Raises NotFoundError."""
        # The engine always gives the whole id: only a prefix has to look through the table.
        whole = self._db.row(f'SELECT * FROM "{table}" WHERE id = ?', (ident,))  # noqa: S608 (names are the code's own)
        if whole is not None:
            return whole
        rows = self._db.rows(
            f'SELECT * FROM "{table}" WHERE substr(id, 1, ?) = ? LIMIT 2',  # noqa: S608 (names are the code's own)
            (len(ident), ident),
        )
        noun = table.removesuffix("s")
        if not rows or not ident:
            raise NotFoundError(f"the record has no {noun} {ident!r}")
        if len(rows) > 1:
            raise NotFoundError(f"several {noun}s begin with {ident!r}; write more of the id")
        return rows[0]

    def _where(
        self, table: str, order: str, limit: int, condition: str = "1", *values: Any, **equal: str
    ) -> list[dict[str, Any]]:
        """Return rows that satisfy the condition and equal each non-empty value of `equal`."""
        wanted = {name: value for name, value in equal.items() if value}
        conditions = " AND ".join([condition, *(f'"{name}" = ?' for name in wanted)])
        statement = f'SELECT * FROM "{table}" WHERE {conditions} ORDER BY {order} LIMIT ?'  # noqa: S608 (names are the code's own)
        return self._db.rows(statement, (*values, *wanted.values(), limit))

    def _update(self, table: str, ident: str, values: dict[str, Any], *, key: str = "id") -> None:
        """Set columns of one row. Raises NotFoundError."""
        settings = ", ".join(f'"{name}" = ?' for name in values)
        statement = f'UPDATE "{table}" SET {settings} WHERE "{key}" = ?'  # noqa: S608 (names are the code's own)
        with self._db.one_statement():
            if not self._db.execute(statement, (*values.values(), ident)).rowcount:
                raise NotFoundError(f"the record has no {table.removesuffix('s')} {ident!r}")
