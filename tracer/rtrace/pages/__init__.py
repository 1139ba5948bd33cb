"""What pages share: templates in which everything is escaped, values as cells, the style; and pages that are one file.

A page that is a file is for a stranger's browser, years later: it asks for nothing, runs nothing, and obeys nobody. It
may be opened from a mail, on a telephone or printed. `rtrace.web` serves pages made with the same parts.
"""
