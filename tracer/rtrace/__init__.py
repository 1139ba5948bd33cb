"""Trace a command once, and give anybody one file from which to replay and verify it."""

__version__ = "0.1.0"
