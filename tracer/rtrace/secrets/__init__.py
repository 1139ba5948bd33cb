"""Secrets in what a bundle holds: what they look like, and where they are. Their values are never handed on."""
