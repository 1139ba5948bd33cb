"""What system calls mean: from a call's registers to what the books keep."""
