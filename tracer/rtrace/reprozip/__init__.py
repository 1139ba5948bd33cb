"""Bundles of ReproZip, read as if they were rtrace's own: the other meaning of the extension ``.rpz``."""
