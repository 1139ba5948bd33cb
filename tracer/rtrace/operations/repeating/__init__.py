"""`rtrace repeat`, which traces, and so stands above the other operations on the history."""
