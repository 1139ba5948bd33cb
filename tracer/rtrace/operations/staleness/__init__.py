"""Runs that would no longer give what was recorded: told, and run again."""
