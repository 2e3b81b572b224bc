"""Who a peer is, as far as counting goes."""

from __future__ import annotations

import ipaddress


def peer_of(address: str) -> str:
    """Return what is counted as one: an IPv4 address, or the /64 network of an IPv6 address.

    One who has an IPv6 address has as many as the network has. Anything else stays as it is."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    if parsed.ipv4_mapped:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.ip_network((parsed, 64), strict=False))
