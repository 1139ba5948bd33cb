"""What every command is, which ones there are, and how each ends."""
