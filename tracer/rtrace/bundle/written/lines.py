"""The lines that say what is known of contents that runs wrote, a JSON object each, and where the contents lie."""

from __future__ import annotations

import re
from itertools import chain
from json import JSONDecodeError, JSONDecoder
from typing import TYPE_CHECKING, Any

from rtrace.bundle import tar
from rtrace.bundle.written_content import BLOCK_SIZE, DIGITS, WrittenContent
from rtrace.errors import BundleError, HostileBundleError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from rtrace.bundle.entry import Result
    from rtrace.manifest.model import Run

_SHA256 = re.compile(r"[0-9a-f]{64}")
_DIGESTS = re.compile(r"(?:[0-9a-f]{64})+")
_LARGEST = 1 << 62


def list_written(runs: Iterable[Run], results: Iterable[Result]) -> Iterator[str]:
    """Yield the digests of all that runs wrote, each once, in an order that is always the same."""
    streams = (stream.sha256 for run in runs for stream in (run.stdout, run.stderr) if stream is not None)
    digests = chain(streams, (result.sha256 for result in results))
    yield from dict.fromkeys(sha256 for sha256 in digests if sha256 is not None)


def dump_content(content: WrittenContent) -> str:
    """Write a content as a line."""
    if content.offset is None:
        return f'{{"blocks":"{content.blocks}","sha256":"{content.sha256}","size":{content.size}}}\n'
    return f'{{"offset":{content.offset},"sha256":"{content.sha256}","size":{content.size}}}\n'


def load_contents(lines: Iterable[bytes]) -> dict[str, WrittenContent]:
    """Read lines that are sorted by digest. Raises BundleError for what is no such line, or not in its place."""
    found: dict[str, WrittenContent] = {}
    last = ""
    for number, line in enumerate(lines, start=1):
        content = _load(line, number)
        if content.sha256 <= last:
            raise BundleError(f"line {number} is not in its place")
        last = content.sha256
        found[last] = content
    return found


def lay_out(contents: Iterable[WrittenContent]) -> Iterator[tuple[WrittenContent, bytes]]:
    """Yield the contents that are in the archive, in its order, each with the header before it."""
    for content in sorted((one for one in contents if one.offset is not None), key=lambda one: one.offset or 0):
        yield content, make_header(content)


def make_header(content: WrittenContent) -> bytes:
    """Return the header of a content in the archive, which is a tar."""
    return tar.header(content.sha256.encode(), tar.REGULAR, content.size)


def prove_layout(contents: Iterable[WrittenContent]) -> int:
    """Return how long the archive is before its end. Raises HostileBundleError where contents overlap or leave gaps."""
    end = 0
    for content, header in lay_out(contents):
        if content.offset != end + len(header):
            raise HostileBundleError(f"the content {content.sha256} is said to be where it cannot be")
        end = content.offset + content.size + len(tar.padding(content.size))
    return end


def _load(line: bytes, number: int) -> WrittenContent:
    try:
        match _DECODER.decode(line.decode()):
            case {"sha256": str(sha256), "size": int(size), "offset": int(offset), **rest} if not rest:
                content = WrittenContent(sha256, size, offset)
            case {"sha256": str(sha256), "size": int(size), "blocks": str(blocks), **rest} if not rest:
                content = WrittenContent(sha256, size, None, blocks)
            case _:
                raise BundleError(f"line {number} is no content")
    except (JSONDecodeError, UnicodeDecodeError, RecursionError):
        raise BundleError(f"line {number} is no JSON") from None
    expected = -(-content.size // BLOCK_SIZE) * DIGITS
    is_sound = (
        bool not in {type(content.size), type(content.offset)}
        and _SHA256.fullmatch(content.sha256)
        and 0 < content.size < _LARGEST
        and (content.offset is None or 0 < content.offset < _LARGEST)
        and (content.offset is not None or (len(content.blocks) == expected and _DIGESTS.fullmatch(content.blocks)))
    )
    if not is_sound:
        raise BundleError(f"line {number} is no content that a bundle can have")
    return content


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise BundleError("a line has a key twice")
    return found


_DECODER = JSONDecoder(object_pairs_hook=_unique)
