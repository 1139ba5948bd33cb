"""The grammar of the command line: commands, their options and arguments, and what may be typed next."""
