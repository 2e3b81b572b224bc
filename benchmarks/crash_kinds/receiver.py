"""The world outside of the engine: it takes notifications, and says whether a fault is mended."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any


class Receiver:
    """One HTTP server for all lives of an engine."""

    def __init__(self, port: int, world: Path) -> None:
        self.told: list[dict[str, Any]] = []
        """Every notification, as it was posted."""
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                found = (world / Path(self.path).name).exists()
                self._answer(200 if found else 503)

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                receiver.told.append(json.loads(body))
                self._answer(204)

            def _answer(self, status: int) -> None:
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name
                """Say nothing: half of the connections are killed on purpose."""

        self._server = _Quiet(("127.0.0.1", port), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))

    def __enter__(self) -> Receiver:
        self._thread.start()
        return self

    def __exit__(self, *failure: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def incidents(self) -> set[str]:
        """Return the incidents somebody was told about."""
        text = [json.dumps(one) for one in self.told]
        return {word for one in text for word in one.split('"') if word.startswith("in-")}


class _Quiet(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A sender that was killed is no error."""
