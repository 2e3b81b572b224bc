"""Event filters: they shape an event before any rule sees it."""

from selfheal.filters.chain import apply_filters, load_filters
from selfheal.filters.plugins import Filter, builtin_filters, load_filter

__all__ = ["Filter", "apply_filters", "builtin_filters", "load_filter", "load_filters"]
