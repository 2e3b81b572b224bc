"""`api:` the engine's own HTTP server."""

from __future__ import annotations

from selfheal.strict import Strict


class Api(Strict):
    """The HTTP API; nothing listens unless it is configured."""
