"""`rtrace verify --explain`: replay a bundle with one cause varied at a time, and see which outputs follow it."""
