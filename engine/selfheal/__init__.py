"""selfheal: faults in, verified recoveries out, and the reason for each on record."""

__all__ = ["__version__"]

__version__ = "0.1.0"
