"""The tracer's loop: start the command, take the next event, handle it."""
