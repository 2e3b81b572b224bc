"""`api:` the engine's own HTTP server."""

from __future__ import annotations

import ipaddress
from typing import Self

from pydantic import Field, model_validator

from selfheal.config.durations import Seconds
from selfheal.config.secret import Secret
from selfheal.strict import Strict, refusal


class ApiUser(Strict):
    """One who may use the API."""

    name: str = Field(min_length=1, description="What the record calls them; as in `approvers`.")
    token: Secret | None = Field(None, description="{file: PATH} or {env: NAME}.")
    token_file: str = Field("", description="The same as token: {file: PATH}.")

    @model_validator(mode="after")
    def _one_token(self) -> Self:
        if bool(self.token) == bool(self.token_file):
            raise refusal(f"{self.name} needs one token", "write token or token_file")
        return self

    @property
    def secret(self) -> Secret:
        """Where the token is."""
        return self.token or Secret(file=self.token_file, env="")


class Api(Strict):
    """The HTTP API; nothing listens unless it is configured."""

    host: str = Field("127.0.0.1", description="Address to listen on; others need TLS.")
    port: int = Field(8421, ge=0, le=65535, description="TCP port; 0: any that is free.")
    url: str = Field("", description="Where people reach it: what links in messages begin with.")
    users: tuple[ApiUser, ...] = Field((), description="Who may use it, each with a token.")
    certfile: str = Field("", description="PEM certificate chain; with it TLS only.")
    keyfile: str = Field("", description="PEM key, when it is not in certfile.")
    insecure: bool = Field(False, description="Listen elsewhere than on loopback without TLS.")
    max_body: int = Field(64 * 1024, ge=256, description="Most bytes of a request's body.")
    body_timeout: Seconds = Field(10.0, gt=0, description="Time in which it must have come.")
    rate: float = Field(10.0, gt=0, description="Requests a second that one peer may make.")
    burst: int = Field(50, ge=1, description="Requests that one peer may make at once.")

    @model_validator(mode="after")
    def _private(self) -> Self:
        if self.keyfile and not self.certfile:
            raise refusal("keyfile without certfile", "add certfile")
        if not (self.certfile or self.insecure or _is_loopback(self.host)):
            hint = "add certfile and keyfile, or insecure: true behind a proxy that speaks TLS"
            raise refusal(f"tokens would go unencrypted over the network to {self.host}", hint)
        return self

    @model_validator(mode="after")
    def _unique_names(self) -> Self:
        names = [user.name for user in self.users]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise refusal(f"two users are named {twice[0]}", "give each a name of its own")
        return self

    @property
    def base_url(self) -> str:
        """Where people reach it, as configured or as it listens."""
        scheme = "https" if self.certfile else "http"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return self.url.rstrip("/") or f"{scheme}://{host}:{self.port}"


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
