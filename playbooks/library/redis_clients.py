#!/usr/bin/python
"""Ansible module: disconnect idle clients of a redis server."""

from __future__ import annotations

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.selfheal_redis import Redis, RedisError, connection_arguments

DOCUMENTATION = r"""
module: redis_clients
short_description: Disconnect normal redis clients that have been idle
description:
- Replicas, subscribers, monitors and the asking connection itself are left alone.
- A server at its maxclients refuses this module too; reset its sockets in the kernel then.
options:
  host:
    type: str
    default: 127.0.0.1
    description: Address of the server.
  port:
    type: int
    default: 6379
    description: Port of the server.
  username:
    type: str
    description: User, where the server has ACLs.
  password:
    type: str
    description: Password, where one is needed.
  database:
    type: int
    default: 0
    description: Database number.
  idle:
    type: int
    default: 60
    description: Seconds without a command that make a client idle.
author: The selfheal authors
"""
EXAMPLES = r"""
- redis_clients: {port: 6379, idle: 300}
"""
RETURN = r"""
clients:
  type: list
  returned: always
  description: Addresses that were (or in check mode would be) disconnected.
"""


def idle_clients(redis: Redis, seconds: int) -> dict[str, str]:
    """Address by client id. A subscriber is idle by nature, so type normal only."""
    own = str(redis.ask("CLIENT", "ID"))
    listed = redis.ask("CLIENT", "LIST", "TYPE", "normal").decode(errors="replace").splitlines()
    clients = [dict(word.partition("=")[::2] for word in line.split()) for line in listed]
    return {
        each["id"]: each["addr"]
        for each in clients
        if each["id"] != own and int(each["idle"]) >= seconds and "O" not in each["flags"]
    }


def main() -> None:
    module = AnsibleModule(
        argument_spec={**connection_arguments(), "idle": {"type": "int", "default": 60}},
        supports_check_mode=True,
    )
    try:
        redis = Redis(module.params)
        clients = idle_clients(redis, module.params["idle"])
        if clients and not module.check_mode:
            # A client that left by itself in between answers 0, which is as good.
            redis.ask_all([("CLIENT", "KILL", "ID", client) for client in clients])
    except RedisError as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=bool(clients), clients=sorted(clients.values()))


if __name__ == "__main__":
    main()
