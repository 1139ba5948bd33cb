"""Sweeps: one thing of a run changed again and again. Pure: what is asked for, its combinations, their rows and tables.

It knows manifests and replays, and starts nothing: that is for `rtrace.operations.sweeping`.
"""
