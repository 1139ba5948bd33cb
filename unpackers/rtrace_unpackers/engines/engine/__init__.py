"""The command line of Docker and Podman, called in one place. Uses `rtrace` alone."""
