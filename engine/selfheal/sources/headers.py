"""Which headers of a request an event may hold: none that is, or may be, a credential."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable

from selfheal.masking import looks_secret

_CREDENTIAL = re.compile(
    r"auth|token|secret|key|signature|-sign$|^sign|cookie|passw|credential|session|jwt|hmac|otp"
)
_MOST = 64
_MOST_CHARACTERS = 8192


def is_credential(name: str) -> bool:
    """Tell whether the header of that name may hold a credential."""
    return bool(_CREDENTIAL.search(name.lower())) or looks_secret(name)


def shown_headers(headers: Iterable[tuple[str, str]], keep: Collection[str]) -> dict[str, str]:
    """Return the headers for the event's meta, names as they were sent.

    Those that look like a credential's are left out unless `keep` (in lower case) names them; of
    too many, or too long ones, only the first are there."""
    shown: dict[str, str] = {}
    left = _MOST_CHARACTERS
    for name, value in headers:
        if is_credential(name) and name.lower() not in keep:
            continue
        left -= len(name) + len(value)
        if left < 0 or len(shown) >= _MOST:
            break
        shown[name] = value
    return shown
