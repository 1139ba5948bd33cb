"""A sweep carried out: planned, replayed in processes of its own here or by Slurm, collected.

Each combination is replayed by another process of rtrace, so that none can spoil, or end, another one.
"""
