"""The demo: a real service, a real engine, real faults, in a temporary folder."""
