"""A small HTTP service, run as a program: python service.py --port P [--name N] [--ill-file F].

GET /         200, the name
GET /healthz  200, or 503 while the ill file exists
GET /slow     answers after 30 s: a session that stays
GET /metrics  requests so far and resident memory, for Prometheus
GET /leak     keeps 16 MB more with each call
"""

from __future__ import annotations

import argparse
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


class Service(ThreadingHTTPServer):
    """The server and what it counts."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, port: int, name: str, ill_file: Path | None) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.name = name
        self.ill_file = ill_file
        self.requests = 0
        self.hoard: list[bytes] = []

    def metrics(self) -> str:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        return (
            f'service_requests_total{{service="{self.name}"}} {self.requests}\n'
            f'service_resident_bytes{{service="{self.name}"}} {pages * 4096}\n'
        )


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    server: Service

    def do_GET(self) -> None:
        service = self.server
        service.requests += 1
        path = self.path.partition("?")[0]
        if path == "/healthz":
            ill = service.ill_file is not None and service.ill_file.exists()
            self._answer(503 if ill else 200, "ill\n" if ill else "well\n")
        elif path == "/metrics":
            self._answer(200, service.metrics())
        elif path == "/leak":
            service.hoard.append(b"x" * (16 << 20))
            self._answer(200, "kept\n")
        elif path == "/slow":
            time.sleep(30)
            self._answer(200, "late\n")
        else:
            self._answer(200, f"{service.name}\n")

    def _answer(self, status: int, text: str) -> None:
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
        """Say nothing."""


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--name", default="service")
    parser.add_argument("--ill-file", type=Path)
    options = parser.parse_args()
    Service(options.port, options.name, options.ill_file).serve_forever()


if __name__ == "__main__":
    main()
