"""The bundle: one file that holds what a run needs, its manifest, and its trace."""
