"""Linux itself: the one door to libc, and what tracing and isolation alike build on it.

May use the ground alone.
"""
