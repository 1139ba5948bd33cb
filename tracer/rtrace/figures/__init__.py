"""Figures that say which run made them: stamps in their metadata, and what LaTeX needs to check them.

A stamp changes no pixel and no line, and taking it out again gives the very bytes that the run wrote.
"""
