"""Replay a run in namespaces of its own: a plan, which is a value, and processes that carry it out.

    kernel      the kernel's calls that Python lacks, and the filter of calls
    users       whose ids a replay has, and work on files of those ids
    planning    the set-up, the last calls, and the program that makes them, as values
    streams     standard streams and terminals
    running     a plan carried out in three processes

Each uses those above it in this list, besides `files`, `limits` and `launchers`.
"""
