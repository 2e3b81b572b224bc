"""Executors: what runs a playbook."""

from selfheal.recovery.executors.ansible import AnsibleRunner
from selfheal.recovery.executors.memory import FAILS, HANGS, MemoryRunner, Reply
from selfheal.recovery.executors.scrub import scrub_leftovers

__all__ = ["FAILS", "HANGS", "AnsibleRunner", "MemoryRunner", "Reply", "scrub_leftovers"]
