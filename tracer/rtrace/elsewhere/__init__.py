"""Content that a bundle leaves elsewhere, and how it is fetched."""
