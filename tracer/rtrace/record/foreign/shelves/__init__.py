"""The files behind Python's `shelve`, read as bytes: C libraries are not made for files that somebody prepared."""
