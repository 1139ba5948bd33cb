"""Kinds of files of other programs that statistics and sciences use, each with the library that reads it best.

They are entry points of ``rtrace.comparators``, as anybody's: a kind that is asked before rtrace's own. A library is
imported when a file of its kind is there, and where it is not installed the bytes are compared.
"""
