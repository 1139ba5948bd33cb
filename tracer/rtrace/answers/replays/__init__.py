"""What `replay` answers, with a sweep or without, and the commands that make targets, remove them, and copy files."""
