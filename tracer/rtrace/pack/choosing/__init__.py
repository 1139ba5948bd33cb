"""Which files are packed, each under which entry and from which source; uses `describe`, and writes nothing."""
