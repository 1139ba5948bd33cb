"""Projects of Sumatra 0.8: the Django store in SQLite, the shelve store, and the JSON that `smt export` writes."""
