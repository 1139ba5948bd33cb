"""Standard streams and terminals of a replay, and the pumps between them and the caller's. Uses `rtrace` alone."""
