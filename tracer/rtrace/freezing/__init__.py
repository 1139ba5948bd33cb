"""Hold still what makes two runs of a program differ: what is pinned, and to which values; by ptrace where that can be.

It knows nothing of traces and bundles; both the tracer and unpackers use it.
"""
