"""The record: everything the engine saw, decided and did, in one SQLite file."""

from selfheal.store.housekeeping import keep_house
from selfheal.store.record import SqliteRecord, open_record

__all__ = ["SqliteRecord", "keep_house", "open_record"]
