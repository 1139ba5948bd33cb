"""From the entries of a bundle to files on a disk, whatever the bundle says. Uses `rtrace` alone."""
