"""What the runs wrote: the content of outputs and standard streams, which no replay sees."""
