"""Replay a run in namespaces of its own: a plan, which is a value, and a child process that carries it out."""
