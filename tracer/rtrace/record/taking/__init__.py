"""Taking the record of a run that has just ended: from its trace, and from what this machine still shows.

`evidence` gathers what the trace says of the run; `files`, `programs`, `libraries`, `streams`, `processes` and
`parameters` each make a part of the record of it; `taking` puts the parts together, `secrets` takes secrets out, and
`keeping` writes the document into the trace directory and the history. Imported at the end of every `rtrace trace`.
"""
