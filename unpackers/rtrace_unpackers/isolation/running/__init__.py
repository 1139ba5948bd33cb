"""Carry out a plan in three processes, hold it to its limits, and tell how it ended. Uses all other chapters."""
