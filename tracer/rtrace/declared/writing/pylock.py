"""pylock.toml: https://packaging.python.org/en/latest/specifications/pylock-toml/.

Each package there has an address and a hash: a version alone is none that an installer may trust. So only what a lock
file of the project or the installation itself knows the address of can be written.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from rtrace.declared.writing.pins import Pins, Written, split_origin
from rtrace.errors import DeclarationError
from rtrace.printable import name_some

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from rtrace.declared.model import Archive, Used


def write_pylock(pins: Pins) -> Written:
    """Return the Python distributions as a pylock.toml. Raises DeclarationError where addresses are not known."""
    packages = pins.of("python")
    unknown = [one.shown for one in packages if not _has_commit(one) and (one.name, one.version) not in pins.archives]
    if unknown or not packages:
        what = f"the archives of {name_some(unknown)}" if unknown else "no Python distributions"
        raise DeclarationError(
            f"pylock.toml cannot be written, for it has the address and hash of every archive, and {what} "
            f"{'are' if unknown else 'were used: there is nothing to write'}"
            f"{' in no uv.lock or pylock.toml here: write requirements.txt, or run `uv lock` first' if unknown else ''}"
        )
    lines = ['lock-version = "1.0"', f"created-by = {_quote(pins.maker)}", ""]
    for one in packages:
        lines += ["[[packages]]", f"name = {_quote(one.name)}", f"version = {_quote(one.version)}"]
        if _has_commit(one):
            address, commit = split_origin(one.origin)
            lines.append(f'vcs = {{type = "git", url = {_quote(address)}, commit-id = {_quote(commit)}}}')
        else:
            lines += _write_archives(pins.archives[one.name, one.version])
        lines.append("")
    return Written("\n".join(lines))


def _has_commit(one: Used) -> bool:
    return bool(split_origin(one.origin)[1])


def _write_archives(archives: Mapping[str, Archive]) -> Iterator[str]:
    """Yield the lines of a package's archives: one of its source, and wheels."""
    wheels = [(name, archive) for name, archive in sorted(archives.items()) if name.endswith(".whl")]
    source = next(((name, archive) for name, archive in sorted(archives.items()) if not name.endswith(".whl")), None)
    if source is not None:
        yield f"sdist = {_write_archive(*source)}"
    if wheels:
        yield "wheels = ["
        yield from (f"    {_write_archive(name, archive)}," for name, archive in wheels)
        yield "]"


def _write_archive(name: str, archive: Archive) -> str:
    size = "" if archive.size is None else f"size = {archive.size}, "
    return (
        f"{{name = {_quote(name)}, url = {_quote(archive.url)}, {size}hashes = {{sha256 = {_quote(archive.sha256)}}}}}"
    )


def _quote(text: str) -> str:
    """Return text as TOML has it: a string of JSON is one, but for the character DEL and lone surrogates."""
    return json.dumps(text.encode("utf-8", "replace").decode(), ensure_ascii=False).replace("\x7f", "\\u007f")
