#!/usr/bin/python
"""Ansible module: cut the sessions of one HAProxy server."""

from __future__ import annotations

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.selfheal_haproxy import Haproxy, HaproxyError

DOCUMENTATION = r"""
module: haproxy_sessions
short_description: Shut down all current sessions of a server of an HAProxy backend
options:
  socket:
    type: path
    default: /run/haproxy/admin.sock
    description: HAProxy's stats socket, level admin.
  backend:
    type: str
    required: true
    description: The backend.
  server:
    type: str
    required: true
    description: The server.
author: The selfheal authors
"""
EXAMPLES = r"""
- haproxy_sessions: {backend: app, server: app1}
"""
RETURN = r"""
sessions:
  type: int
  returned: always
  description: How many were (or in check mode would be) cut.
"""


def main() -> None:
    module = AnsibleModule(
        argument_spec={
            "socket": {"type": "path", "default": "/run/haproxy/admin.sock"},
            "backend": {"type": "str", "required": True},
            "server": {"type": "str", "required": True},
        },
        supports_check_mode=True,
    )
    backend, server = module.params["backend"], module.params["server"]
    haproxy = Haproxy(module.params["socket"])
    try:
        known = haproxy.servers(backend).get(server)
        if known is None:
            raise HaproxyError(f"backend {backend} has no server {server}")
        if known.sessions and not module.check_mode:
            haproxy.tell(f"shutdown sessions server {backend}/{server}")
    except HaproxyError as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=known.sessions > 0, sessions=known.sessions)


if __name__ == "__main__":
    main()
