"""A quick program in the place of `ansible-playbook` and `ansible-inventory`.

It stands here because the real one takes a second of processor time a run: a thousand kills with
several healings each would take hours. A share of the trials uses the real one. Towards
ansible-runner it behaves the same: events by the callback's files and markers, an exit code, a
child in a session of its own.
"""

import base64
import json
import os
import re
import subprocess
import sys
import uuid
from datetime import UTC, datetime
from pathlib import Path

FOLDER = Path(__file__).resolve().parent.parent
WHAT = {"do.yml": "do", "undo.yml": "undo", "act.yml": "act"}


def main() -> int:
    """Play the program by whose name we were called."""
    if Path(sys.argv[0]).name == "ansible-inventory":
        hosts = [line.split()[0] for line in (FOLDER / "inventory").read_text().splitlines()]
        print(json.dumps({"_meta": {"hostvars": {}}, "all": {"hosts": hosts}}))
        return 0
    spec = re.search(r"fx/[^\s\"']*?/xf", _variables())
    effect = Path(__file__).resolve().with_name("effect.py")
    if spec is None:
        print("ERROR! no variable `effect`")
        return 4
    command = [sys.executable, "-IS", str(effect), str(FOLDER), _what(), spec.group()]
    # Ansible's workers make sessions of their own, so ending our process group would not end it.
    rc = subprocess.run(command, start_new_session=True, check=False).returncode
    _event(rc)
    return 2 if rc else 0


def _what() -> str:
    return next(WHAT[Path(one).name] for one in sys.argv[1:] if Path(one).name in WHAT)


def _host() -> str:
    return sys.argv[sys.argv.index("--limit") + 1] if "--limit" in sys.argv else "any"


def _variables() -> str:
    files = [one[1:] for one in sys.argv if one.startswith("@")]
    return "\n".join([Path(one).read_text() for one in files] + sys.argv[1:])


def _event(rc: int) -> None:
    """Tell ansible-runner of the one task, as its callback plugin does."""
    ident = str(uuid.uuid4())
    data = {
        "host": _host(),
        "task": "effect",
        "task_action": "ansible.builtin.command",
        "resolved_action": "ansible.builtin.command",
        "duration": 0.1,
        "res": {"changed": True, "rc": rc, **({"msg": "non-zero return code"} if rc else {})},
    }
    event = {
        "uuid": ident,
        "event": "runner_on_failed" if rc else "runner_on_ok",
        "created": datetime.now(UTC).isoformat(),
        "event_data": data,
    }
    if place := os.environ.get("AWX_ISOLATED_DATA_DIR"):
        events = Path(place) / "job_events"
        events.mkdir(mode=0o700, exist_ok=True)
        partial = events / f"{ident}-partial.json"
        partial.with_suffix(".tmp").write_text(json.dumps(event))
        partial.with_suffix(".tmp").rename(partial)
    print(f"{_marker({'uuid': ident})}{'fatal' if rc else 'changed'}: [{_host()}]\n{_marker({})}")


def _marker(value: dict[str, str]) -> str:
    text = base64.b64encode(json.dumps(value).encode()).decode()
    return f"\x1b[K{text}\x1b[{len(text)}D\x1b[K"


if __name__ == "__main__":
    sys.exit(main())
