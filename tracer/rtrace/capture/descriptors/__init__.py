"""What is told of the descriptors that a run began with."""
