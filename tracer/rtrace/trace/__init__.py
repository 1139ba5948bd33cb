"""The trace directory: what tracing wrote, for packing to read."""
