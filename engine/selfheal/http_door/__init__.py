"""In front of every HTTP server of ours: what one peer, and all together, may hold and ask."""

from selfheal.http_door.connections import Connections
from selfheal.http_door.listening import listening
from selfheal.http_door.rate_limit import RateLimit

__all__ = ["Connections", "RateLimit", "listening"]
