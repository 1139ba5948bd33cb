"""Measure what tracing costs, tool beside tool."""
