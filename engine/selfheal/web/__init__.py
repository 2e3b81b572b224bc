"""The engine's own HTTP server."""

from selfheal.web.server import serve_api

__all__ = ["serve_api"]
