"""The version, shared in lockstep by all distributions."""

__version__ = "0.1.0"
