"""Capture: follows a process tree and notes every file it looks at, as it was before the run touched it."""
