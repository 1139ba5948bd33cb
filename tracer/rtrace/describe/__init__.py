"""A trace told as a manifest.

What was used and why, whose it is, and what a person would call it.
"""
