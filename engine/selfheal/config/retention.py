"""`retention:` how long what is kept."""

from __future__ import annotations

from pydantic import Field

from selfheal.config.durations import Seconds
from selfheal.config.sizes import Bytes
from selfheal.strict import Strict

HOUR = 3600.0
DAY = 24 * HOUR


class Retention(Strict):
    """How long the record and Ansible's artifacts are kept.

    What is open, waits, runs, or is needed at the next start is kept however old it is."""

    events: Seconds = Field(
        7 * DAY, description="Events, what they fired, and messages from the command line."
    )
    timeline: Seconds = Field(90 * DAY, description="The story, line by line.")
    incidents: Seconds = Field(
        180 * DAY,
        description="Incidents with their faults, decisions and healings; by their end, or by the "
        "last report of their fault. Success rates and MTTR keep counting them.",
    )
    tasks: Seconds = Field(
        30 * DAY, description="Results of single Ansible tasks, and runs by actions of rules."
    )
    artifacts: Seconds = Field(7 * DAY, description="Files that ansible-runner leaves of a run.")
    approvals: Seconds = Field(90 * DAY, description="Answered approvals and spent grants.")
    notifications: Seconds = Field(90 * DAY, description="Delivered, or given up, messages.")
    max_size: Bytes | None = Field(
        2_000_000_000,
        description="Of the record in bytes, or as 500MB, 2GiB: above it the oldest goes earlier "
        "than said above; null for no bound.",
    )
    every: Seconds = Field(HOUR, ge=1, description="How often it is seen to.")
