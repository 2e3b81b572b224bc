"""The demo's web service: answers from a cache file; says 500 when the cache is broken."""

import json
import os
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

FOLDER = Path(sys.argv[1])


def answer() -> tuple[int, dict[str, object]]:
    """Return the HTTP status and what the service says of itself."""
    try:
        products = json.loads((FOLDER / "cache.json").read_text())
    except (OSError, ValueError) as error:
        return 500, {"error": f"the cache is broken: {error}"}
    workers = json.loads((FOLDER / "web.json").read_text())["workers"]
    return 200, {"pid": os.getpid(), "workers": workers, "products": len(products)}


class Handler(BaseHTTPRequestHandler):
    """Every path is the health check."""

    def do_GET(self) -> None:
        status, said = answer()
        data = json.dumps(said).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the parent's name
        """Say nothing: the terminal belongs to the demo."""


ThreadingHTTPServer(("127.0.0.1", int(sys.argv[2])), Handler).serve_forever()
