"""The record: everything the engine saw, decided and did, in one SQLite file."""

from selfheal.store.record import SqliteRecord, open_record

__all__ = ["SqliteRecord", "open_record"]
