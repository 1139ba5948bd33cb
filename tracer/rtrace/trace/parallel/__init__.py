"""Runs of several ranks: what a launcher says of each, where their traces wait, which process belonged to which."""
