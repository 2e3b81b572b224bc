"""Executors: what runs a playbook."""

from selfheal.recovery.executors.ansible import AnsibleRunner
from selfheal.recovery.executors.memory import FAILS, HANGS, MemoryRunner, Reply

__all__ = ["FAILS", "HANGS", "AnsibleRunner", "MemoryRunner", "Reply"]
