"""Whose ids a replay has: chosen, mapped, and used for work on the files that belong to them. Uses `kernel`."""
