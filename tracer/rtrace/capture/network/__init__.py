"""Whom a run talks to: other programs of this machine, and other hosts."""
