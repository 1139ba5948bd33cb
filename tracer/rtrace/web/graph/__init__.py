"""The graph of a run: processes, what they read and wrote, and the runs before and after it, as one SVG drawing."""
