"""The environment Ansible runs in: clean, explicit, and the same for a daemon and a terminal."""

from __future__ import annotations

import configparser
import os
import pwd
from collections.abc import Mapping
from pathlib import Path

from selfheal.recovery.executors.processes import MARK

_INHERITED = ("HOME", "LOGNAME", "PATH", "SSH_AUTH_SOCK", "TMPDIR", "TZ", "USER")

# The modules of a local connection run on the Python that runs Ansible: a `python3` found on PATH
# may be a shim that does not work. Other hosts are asked, as Ansible does by default.
_INTERPRETER = (
    "{{ ansible_playbook_python if ansible_connection | default('ssh') == 'local' else 'auto' }}"
)

_SET_BY_RUNNER = (
    "ANSIBLE_CALLBACK_PLUGINS",
    "ANSIBLE_RETRY_FILES_ENABLED",
    "ANSIBLE_STDOUT_CALLBACK",
    "AWX_ISOLATED_DATA_DIR",
    "ORIGINAL_STDOUT_CALLBACK",
    "RUNNER_OMIT_EVENTS",
    "RUNNER_ONLY_FAILED_EVENTS",
)


def environment(
    mark: str, *, project: Path, temp: Path, executable: str, extra: Mapping[str, str]
) -> dict[str, str]:
    """Return the variables for one run; `ANSIBLE_*` of our own environment are passed on."""
    env = {
        name: value
        for name, value in os.environ.items()
        if name in _INHERITED or name.startswith("ANSIBLE_")
    }
    if "ANSIBLE_CONFIG" not in env and (project / "ansible.cfg").is_file():
        env["ANSIBLE_CONFIG"] = str(project / "ansible.cfg")
    if "ANSIBLE_PYTHON_INTERPRETER" not in env and not _names_interpreter(env):
        env["ANSIBLE_PYTHON_INTERPRETER"] = _INTERPRETER
    if not _has_home():
        env |= _homeless(temp)
    env.update(extra)
    env.update(
        {
            MARK: mark,
            "ANSIBLE_FORCE_COLOR": "0",
            "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_LOCAL_TEMP": str(temp),
            "LC_ALL": "C.UTF-8",  # Ansible refuses any other encoding
            "PATH": os.pathsep.join(
                [str(Path(executable).parent), env.get("PATH", os.defpath)],
            ),
        }
    )
    return env


def _has_home() -> bool:
    try:
        return os.access(pwd.getpwuid(os.geteuid()).pw_dir, os.W_OK)
    except KeyError:
        return False  # a container's arbitrary user id


def _homeless(temp: Path) -> dict[str, str]:
    """Return what a service user without a home needs: Ansible keeps modules below `~`.

    The shell of the managed host expands `$HOME`, where Ansible would ask the user database.
    """
    home = os.environ.get("HOME", "")
    return {
        "HOME": home if home and os.access(home, os.W_OK) else str(temp),
        "ANSIBLE_REMOTE_TMP": "$HOME/.ansible/tmp",
    }


def only_ours(prepared: Mapping[str, str], own: Mapping[str, str]) -> dict[str, str]:
    """Return what of ansible-runner's environment the run gets: `own` and the runner's plumbing.

    ansible-runner starts from everything we have, and switches host key checking off.
    """
    return {
        name: value for name, value in prepared.items() if name in own or name in _SET_BY_RUNNER
    }


def _names_interpreter(env: Mapping[str, str]) -> bool:
    """Tell whether the project's `ansible.cfg` sets `interpreter_python` itself."""
    path = env.get("ANSIBLE_CONFIG")
    if not path:
        return False
    config = configparser.ConfigParser(interpolation=None, strict=False)
    try:
        config.read(path)
    except (configparser.Error, UnicodeDecodeError):
        return False  # Ansible itself will say what is wrong with it
    return config.has_option("defaults", "interpreter_python")
