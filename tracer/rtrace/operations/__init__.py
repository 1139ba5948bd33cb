"""The commands without their words: one file for each, which prints nothing."""
