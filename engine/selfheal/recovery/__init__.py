"""Recovery: carries a healing up the ladder, proves it, or undoes it."""

from selfheal.model import host_name
from selfheal.recovery.executors import AnsibleRunner, MemoryRunner, scrub_leftovers
from selfheal.recovery.open_gate import OpenGate
from selfheal.recovery.requests import LiveVariables
from selfheal.recovery.resources import locks_of, told_locks
from selfheal.recovery.runtime import OnDone, SqliteRuntime

__all__ = [
    "AnsibleRunner",
    "LiveVariables",
    "MemoryRunner",
    "OnDone",
    "OpenGate",
    "SqliteRuntime",
    "host_name",
    "locks_of",
    "scrub_leftovers",
    "told_locks",
]
