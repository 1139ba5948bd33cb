"""The relay: a process behind the standard streams of a run, which passes them on and keeps them."""
