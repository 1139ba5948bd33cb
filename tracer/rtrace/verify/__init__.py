"""Whether a replay gives the results of the run."""
