"""The engine's own HTTP server."""
