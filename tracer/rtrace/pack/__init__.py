"""From a trace and its manifest to a bundle: first a plan, then its execution."""
