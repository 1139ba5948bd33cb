"""The record of a run: one JSON document on who ran what, when, where, on what and why, and with which results.

A history is a folder of such documents; a catalogue is an index over them that can be made again at any time.
"""

RECORD_FORMAT = 1
"""A document says this number; a greater one is refused. It grows when a key goes or gets another meaning."""
