"""The life of a target, of any unpacker: whole when it appears, what it says of itself, what is in it, how it goes.

Uses `files`.
"""
