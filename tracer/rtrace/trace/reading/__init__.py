"""Typed questions to a trace database, a subject each: the runs, the world before them, what they did to it."""
