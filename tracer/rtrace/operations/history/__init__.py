"""The operations on the history of runs, one file each."""
