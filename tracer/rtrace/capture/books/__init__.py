"""What is known of a run and kept.

Paths as they were before, copies and notices, on their way to the trace database.
"""
