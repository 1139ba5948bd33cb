"""Figures that say which run made them: stamps in their metadata, and what LaTeX needs to check them.

A stamp changes no pixel and no line. One file for each format has ``split``, which takes it out, and ``join``, which
puts it in; without it the file is again what the run wrote: ``split(join(plain, payload)) == (plain, payload)``.
"""
