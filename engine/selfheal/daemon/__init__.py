"""The daemon: the only place that knows every stage."""
