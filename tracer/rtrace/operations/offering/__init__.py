"""A command run a second time, and the rules of comparison that are offered for what differs between the two."""
