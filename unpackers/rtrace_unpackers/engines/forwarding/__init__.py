"""Ports of the caller's machine that lead into a container without a network: the process there, and what it is told.

Uses `engine` and `image`.
"""
