"""Real servers for tests: each a context manager that is ready when entered and gone when left.

    with Redis(tmp_path / "redis") as redis:
        ...  # answers at 127.0.0.1:redis.port

Run one under `Supervisord` by giving it (unentered) as a program.
"""

from tests.servers.alertmanager import Alertmanager
from tests.servers.backend import Backend
from tests.servers.base import (
    Server,
    await_fact,
    free_port,
    processes_in,
    require,
    short_directory,
)
from tests.servers.haproxy import Haproxy
from tests.servers.memcached import Memcached
from tests.servers.nginx import Nginx
from tests.servers.postgresql import Postgresql
from tests.servers.prometheus import Prometheus
from tests.servers.redis import Redis
from tests.servers.supervisord import Program, Supervisord

__all__ = [
    "Alertmanager",
    "Backend",
    "Haproxy",
    "Memcached",
    "Nginx",
    "Postgresql",
    "Program",
    "Prometheus",
    "Redis",
    "Server",
    "Supervisord",
    "await_fact",
    "free_port",
    "processes_in",
    "require",
    "short_directory",
]
