"""What a run used, pinned in a format of a package manager: one module for each."""
