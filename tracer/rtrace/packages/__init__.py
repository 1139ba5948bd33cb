"""Installed packages: which one owns a file. One module for each package manager."""
