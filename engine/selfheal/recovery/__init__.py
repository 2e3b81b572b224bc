"""Recovery: carries a healing up the ladder, proves it, or undoes it."""

from selfheal.recovery.executors import AnsibleRunner, MemoryRunner
from selfheal.recovery.runtime import BeforeRung, OnDone, SqliteRuntime

__all__ = ["AnsibleRunner", "BeforeRung", "MemoryRunner", "OnDone", "SqliteRuntime"]
