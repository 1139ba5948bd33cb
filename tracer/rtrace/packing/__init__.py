"""From a trace to a bundle: what goes in and why, what it is called, and whose it is."""
