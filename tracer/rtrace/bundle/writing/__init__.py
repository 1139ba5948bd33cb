"""Writing a bundle: complete or not at all, and the same bytes for the same content."""
