"""PDF: the stamp is an entry of the document's information, added by an incremental update (ISO 32000-1, 7.5.6).

An update is appended: no byte of what the run wrote changes, and without it the file is the same again.
"""
