"""The catalogue's pages: made here, on this machine, for the person who started it, and for nobody else.

    browser ──> serving (waitress) ──> site ──> guard: whose request is it? ──> pages/ ──> rendering (Jinja) ──> browser
                                                                              │
                                            record.history, facts/, content/, graph/

Everything in a record is a stranger's: it is escaped where it is shown, and a file is shown only with its own digest.
"""
