"""Recovery: carries a healing up the ladder, proves it, or undoes it."""

from selfheal.recovery.executors import AnsibleRunner, MemoryRunner, scrub_leftovers
from selfheal.recovery.requests import LiveVariables
from selfheal.recovery.runtime import BeforeRung, OnDone, SqliteRuntime

__all__ = [
    "AnsibleRunner",
    "BeforeRung",
    "LiveVariables",
    "MemoryRunner",
    "OnDone",
    "SqliteRuntime",
    "scrub_leftovers",
]
