"""`notify:` who is told when a human is needed."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from selfheal.config.durations import Seconds
from selfheal.config.rails import OrOff
from selfheal.config.secret import Secret
from selfheal.strict import Strict, refusal

_NAME = "What the record calls it; what waits for a target waits by this name."

_PERSON = "The approver whose own target it is: their links to answer by go there, and only there."


class WebhookTarget(Strict):
    """Tell a human by an HTTP POST of JSON."""

    name: str = Field("", description=_NAME)
    person: str = Field("", description=_PERSON)
    url: str | Secret = Field(description="Where to post; {file: PATH} or {env: NAME} to keep it.")
    headers: dict[str, str | Secret] = Field(
        default_factory=dict, description="Sent along; a value may be {file: PATH} or {env: NAME}."
    )
    timeout: Seconds = Field(10.0, description="Time limit of one try.")


class SmtpTarget(Strict):
    """Tell a human by e-mail."""

    name: str = Field("", description=_NAME)
    person: str = Field("", description=_PERSON)
    host: str = Field(description="Mail server.")
    port: int = Field(25, ge=1, le=65535)
    sender: str = Field(description="From address.")
    to: list[str] = Field(min_length=1, description="To addresses.")
    starttls: bool = Field(False, description="Encrypt before anything is said.")
    user: str = Field("", description="Login, if the server wants one.")
    password: Secret | None = Field(None, description="{file: PATH} or {env: NAME}.")
    password_file: str = Field("", description="The same as password: {file: PATH}.")
    timeout: Seconds = Field(10.0, description="Time limit of the conversation.")

    @model_validator(mode="after")
    def _one_password(self) -> Self:
        if self.password and self.password_file:
            raise refusal("two passwords", "write password or password_file")
        if self.user and not self.secret:
            raise refusal(f"a password is missing for {self.user}", "add password: {file: PATH}")
        return self

    @property
    def secret(self) -> Secret | None:
        """Where the password is, None without one."""
        return Secret(file=self.password_file) if self.password_file else self.password


class Bundle(Strict):
    """When a target has heard enough for now: what comes then is told in one message."""

    after: int = Field(10, ge=1, description="So many messages a target hears one by one.")
    within: Seconds = Field(300.0, gt=0, description="In this time; later ones wait for its end.")


class Notify(Strict):
    """Who is told when a human is needed; the log and the record always are."""

    webhooks: list[WebhookTarget] = Field(default_factory=list)
    smtp: list[SmtpTarget] = Field(default_factory=list)
    bundle: OrOff[Bundle] = Field(
        Bundle(after=10, within=300.0), description="Bundle a flood of messages; or off."
    )

    @model_validator(mode="after")
    def _unique_names(self) -> Self:
        names = [*(one.name for one in self.webhooks), *(one.name for one in self.smtp)]
        if twice := sorted({name for name in names if name and names.count(name) > 1}):
            raise refusal(f"two targets are named {twice[0]}", "give each a name of its own")
        return self

    @property
    def secrets(self) -> list[Secret]:
        """Everything that must be readable for all to be told."""
        values: list[str | Secret | None] = [one.secret for one in self.smtp]
        for webhook in self.webhooks:
            values += [webhook.url, *webhook.headers.values()]
        return [value for value in values if isinstance(value, Secret)]
