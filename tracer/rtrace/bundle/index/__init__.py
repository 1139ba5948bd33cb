"""The indexes of a bundle: a line of JSON for each file."""
