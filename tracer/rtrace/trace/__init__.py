"""The trace directory: what tracing wrote, for packing to read."""

DEFAULT_NAME = ".rtrace"
"""What a trace directory is called that nobody has named."""
