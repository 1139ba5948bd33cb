"""The pages: one file for each kind, which asks the history and hands a template what it shows."""
