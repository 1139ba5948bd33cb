"""Turn a bundle into a target, and replay it there."""
