"""The life of a target, whatever its unpacker: made whole, described, looked into, removed.

Uses `files`.
"""
