"""An image of a bundle: its files, its launchers, its Dockerfile, and the archive that an engine loads."""
