"""Secrets in a record: found and taken out before anything of it is written. Uses `rtrace.privacy`."""
