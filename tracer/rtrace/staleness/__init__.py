"""Whether a run would still give what was recorded: what it found, and what is there on this machine now.

    a trace's rows ──> what each run found, and how the last one left it ─┐
                                                                          ├─> reasons ──> told by package ──> a verdict
    this machine ────> what is there now ─────────────────────────────────┘

Nothing here runs anything, or writes.
"""
