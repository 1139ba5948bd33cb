"""What every answer says to the browser: run nothing, fetch nothing from elsewhere, keep nothing, be in no frame."""

from __future__ import annotations

from typing import IO, Any, TypeAlias
from urllib.parse import quote

from werkzeug.wrappers import Response
from werkzeug.wsgi import wrap_file

from rtrace.printable import printable_text

Environ: TypeAlias = "dict[str, Any]"
"""A request, as WSGI has it."""

PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
FILE_POLICY = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; sandbox"
"""Of a file of a run: whatever it is, it runs nothing, has no origin, and reaches nobody."""

_ALWAYS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cache-Control": "no-store",
}


def secure(response: Response) -> Response:
    """Return an answer with the headers of all; the policy is that of a page unless the answer has its own."""
    response.headers.setdefault("Content-Security-Policy", PAGE_POLICY)
    for name, value in _ALWAYS.items():
        response.headers[name] = value
    return response


def answer_page(text: str, status: int = 200) -> Response:
    """Return a page as an answer."""
    return Response(text, status, content_type="text/html; charset=utf-8")


def answer_download(environ: Environ, file: IO[bytes], name: str, size: int) -> Response:
    """Return a file that the browser saves and does not show."""
    response = _answer_file(environ, file, "application/octet-stream", size)
    response.headers["Content-Disposition"] = write_disposition(name)
    return response


def answer_image(environ: Environ, file: IO[bytes], media_type: str, size: int) -> Response:
    """Return a picture for a page: should somebody open it by itself, it is a document that may do nothing."""
    return _answer_file(environ, file, media_type, size)


def write_disposition(name: str) -> str:
    """Return the header that gives a file to be saved its name, whatever characters that has."""
    shown = printable_text(name.rpartition("/")[2]) or "file"
    plain = "".join(char if char.isascii() and (char.isalnum() or char in "._-") else "_" for char in shown)
    return f"attachment; filename=\"{plain.lstrip('.') or 'file'}\"; filename*=UTF-8''{quote(shown, safe='')}"


def _answer_file(environ: Environ, file: IO[bytes], content_type: str, size: int) -> Response:
    response = Response(wrap_file(environ, file), content_type=content_type, direct_passthrough=True)
    response.call_on_close(file.close)
    response.content_length = size
    response.headers["Content-Security-Policy"] = FILE_POLICY
    return response
