"""What a committee asks for besides the bundle: an appendix of its venue, a README section, and metadata for archives.

    a bundle's manifest and records ──> facts ──> blocks, as the venue wants them ──> LaTeX or Markdown
                                          └─────────────────────────────────────────> CITATION.cff, codemeta, Zenodo

What only the author knows is marked with ``TODO(author)`` and listed.
"""
