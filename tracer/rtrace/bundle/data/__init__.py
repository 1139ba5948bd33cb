"""The data of a bundle: seekable zstd archives, the tar in them, and holes."""
