"""Files as their packages brought them.

From archives in the caches of package managers, and by the digests that managers keep.
"""
