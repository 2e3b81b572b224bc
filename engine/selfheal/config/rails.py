"""`rails:` what keeps the engine from doing harm."""

from __future__ import annotations

from selfheal.strict import Strict


class Rails(Strict):
    """Safety rails; each is described on its own page."""
