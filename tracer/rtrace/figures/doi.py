"""DOIs, as people write them: `10.5281/zenodo.1234`, with `doi:` before it, or as a URL of doi.org."""

from __future__ import annotations

import re

LONGEST = 500
_PLAIN = "/:;()-._~!$&'*+,=@"
"""What a path of a URL holds as it is."""
_DOI = re.compile(r"10\.[0-9]{4,9}(?:\.[0-9]+)*/\S+")
_LABEL = re.compile(r"\Adoi:\s*", re.IGNORECASE)
_URL = re.compile(r"https?://(?:www\.|dx\.)?doi\.org/", re.IGNORECASE)


def read_doi(text: str) -> str:
    """Return a DOI as `10.NNNN/suffix`, however it is written. Raises ValueError for what is none."""
    written = _LABEL.sub("", text.strip())
    url = _URL.match(written)
    if url is not None:
        from urllib.parse import unquote

        written = unquote(written[url.end() :])
    if _DOI.fullmatch(written) is None or not written.isprintable() or len(written) > LONGEST:
        raise ValueError(f"{text!r} is not a DOI; write one as 10.5281/zenodo.1234")
    return written


def write_doi_url(doi: str) -> str:
    """Return the URL at which a DOI is resolved; what means something else in a URL is escaped."""
    from urllib.parse import quote

    return f"https://doi.org/{quote(doi, safe=_PLAIN)}"
