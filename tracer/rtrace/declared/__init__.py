"""What a project declares that it needs, against what a run used; reads no trace and writes no lock file unasked."""
