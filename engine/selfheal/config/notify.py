"""`notify:` who is told when a human is needed."""

from __future__ import annotations

from pydantic import Field

from selfheal.config.durations import Seconds
from selfheal.strict import Strict


class WebhookTarget(Strict):
    """Tell a human by an HTTP POST of JSON."""

    url: str = Field(description="Where to post.")
    headers: dict[str, str] = Field(default_factory=dict, description="Sent along.")
    timeout: Seconds = Field(10.0, description="Time limit of one try.")


class SmtpTarget(Strict):
    """Tell a human by e-mail."""

    host: str = Field(description="Mail server.")
    port: int = Field(25, ge=1, le=65535)
    sender: str = Field(description="From address.")
    to: list[str] = Field(min_length=1, description="To addresses.")
    starttls: bool = Field(False, description="Encrypt before anything is said.")
    user: str = Field("", description="Login, if the server wants one.")
    password_file: str = Field("", description="File that holds the password.")
    timeout: Seconds = Field(10.0, description="Time limit of the conversation.")


class Notify(Strict):
    """Who is told when a human is needed; the log and the record always are."""

    webhooks: list[WebhookTarget] = Field(default_factory=list)
    smtp: list[SmtpTarget] = Field(default_factory=list)
