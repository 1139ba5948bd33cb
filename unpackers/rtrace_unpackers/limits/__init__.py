"""What holds a replay to its limits: control groups where there are some, else resource limits and measuring."""
