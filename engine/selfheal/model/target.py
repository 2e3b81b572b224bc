"""What a fault is about, by name."""

from __future__ import annotations

from urllib.parse import urlsplit


def host_name(target: str) -> str:
    """Return the host in a target: `web1` for `web1:9100`, `http://web1/x` and `web1`.

    An IPv6 address loses its brackets, and case does not count, as in DNS."""
    text = target.strip()
    address = text if "//" in text else f"//{text.partition('/')[0]}"
    if text.count(":") > 1 and "//" not in text and not text.startswith("["):
        return text.lower()  # an IPv6 address without brackets has no port
    try:
        host = urlsplit(address).hostname
    except ValueError:
        host = None
    return (host or text).rstrip(".").lower()
