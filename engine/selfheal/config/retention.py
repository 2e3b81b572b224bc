"""`retention:` how long what is kept."""

from __future__ import annotations

from selfheal.strict import Strict


class Retention(Strict):
    """How long the record and artifacts are kept."""
