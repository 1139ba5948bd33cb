"""What a replay may use: control groups, limits of a process, and measuring. Uses `rtrace` alone."""
