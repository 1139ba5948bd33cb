"""The record of a run: one JSON document on who ran what, when, where, on what and why, and with which results.

A history is a folder of such documents; a catalogue is an index over them that can be made again at any time.
"""
