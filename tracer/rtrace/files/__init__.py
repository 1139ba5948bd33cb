"""What every part of rtrace knows of files.

Reading, holes, attributes, names, locks, and files that are made completely or not at all. May use the ground alone.
"""
