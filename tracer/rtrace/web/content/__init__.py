"""The content of a file of a run: where it still is with the digest that the record has, and how it can be shown."""
