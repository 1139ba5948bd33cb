"""What of the caller's machine a replay is opened: its display, its graphics processors, and ports that lead inside.

Uses `rtrace` alone. Nothing here is chosen by a bundle: all comes from the caller's environment and command line.
"""
