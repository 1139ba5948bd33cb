"""The kernel's calls that Python lacks, and the filter of calls that every replay gets. Uses `rtrace` alone."""
