"""`gather_facts`: what Ansible knows of the inventory's hosts, before the first event."""

from __future__ import annotations

from selfheal.model import PlaybookRequest, new_id
from selfheal.ports import JSON, PlaybookRunner

_MODULE = "ansible.builtin.setup"
_TIMEOUT = 300.0


async def gather_host_facts(runner: PlaybookRunner, hosts: tuple[str, ...]) -> list[JSON]:
    """Return one fact a host that answers: its Ansible facts, and its name at `meta.hosts`.

    Raises ExecutionError when Ansible can't be started."""
    request = PlaybookRequest(
        ident=new_id("st"),
        playbook="",
        module=_MODULE,
        host_pattern=",".join(hosts),
        timeout=_TIMEOUT,
    )
    result = await runner.run(request)
    answers = ((task.host, task.result.get("ansible_facts")) for task in result.tasks)
    return [
        {**facts, "meta": {"hosts": host}} for host, facts in answers if isinstance(facts, dict)
    ]
