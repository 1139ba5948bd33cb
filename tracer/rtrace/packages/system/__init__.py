"""Package managers of systems: dpkg, rpm, apk, pacman. One file for each."""
