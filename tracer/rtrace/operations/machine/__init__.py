"""This machine: what works on it, tried rather than guessed, and what killed processes left."""
