"""The version, shared in lockstep by the five distributions."""

__version__ = "0.1.0"
