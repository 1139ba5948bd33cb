"""The container of a target: its options, one replay in it, and what it holds after that.

Uses `image` and `belonging`.
"""
