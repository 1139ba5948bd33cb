"""The processes of a run: what they are, and what they are started with."""
