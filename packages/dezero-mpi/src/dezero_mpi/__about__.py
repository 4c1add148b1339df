"""Define the version, which all distributions of DeZero share."""

__version__ = "0.1.0"
