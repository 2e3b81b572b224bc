"""The demo's supervisor: keeps one service as its child and obeys a socket.

Usage: supervisor.py FOLDER PORT           run, with the service
       supervisor.py FOLDER start|stop|restart|status
It never restarts a dead service by itself: that is what the engine is for.
"""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

FOLDER = Path(sys.argv[1]).absolute()
# The socket is named from inside the folder: a path to it may be longer than sockets allow.
os.chdir(FOLDER)
SOCKET = "supervisor.sock"


class Supervisor:
    """One service, started and stopped on command."""

    def __init__(self, port: str) -> None:
        self.command = [sys.executable, str(FOLDER / "service.py"), str(FOLDER), port]
        self.child: subprocess.Popen[bytes] | None = None

    def start(self) -> str:
        if self.child and self.child.poll() is None:
            return f"running, pid {self.child.pid}"
        self.child = subprocess.Popen(self.command)
        (FOLDER / "service.pid").write_text(str(self.child.pid))
        return f"started, pid {self.child.pid}"

    def stop(self) -> str:
        if self.child and self.child.poll() is None:
            self.child.kill()
            self.child.wait()
        return "stopped"

    def restart(self) -> str:
        self.stop()
        return self.start()

    def status(self) -> str:
        alive = self.child is not None and self.child.poll() is None
        return f"running, pid {self.child.pid}" if alive and self.child else "dead"

    def obey(self) -> None:
        """Serve commands until killed, one connection at a time."""
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(SOCKET)
            server.listen()
            while True:
                connection, _ = server.accept()
                with connection:
                    verb = connection.recv(64).decode()
                    known = verb in ("start", "stop", "restart", "status")
                    said = getattr(self, verb)() if known else f"unknown command {verb!r}"
                    connection.sendall(said.encode())


def ask(verb: str) -> str:
    """Send one command to the running supervisor and return its answer."""
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(SOCKET)
        client.sendall(verb.encode())
        return client.recv(256).decode()


if sys.argv[2].isdigit():
    supervisor = Supervisor(sys.argv[2])
    signal.signal(signal.SIGTERM, lambda *_: (supervisor.stop(), os._exit(0)))
    supervisor.start()
    supervisor.obey()
else:
    print(ask(sys.argv[2]))
