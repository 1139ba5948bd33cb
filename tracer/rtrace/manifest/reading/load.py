"""A manifest from its YAML: strict, and with the line and column of what is wrong. The inverse of `render`."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING

from rtrace.errors import ManifestError
from rtrace.manifest.model import MANIFEST_FORMAT, Manifest
from rtrace.manifest.reading import keys
from rtrace.manifest.reading.claims import check_claims, read_claims
from rtrace.manifest.reading.fields import Fields, absolute_pattern, count, find_close, items, pattern, string
from rtrace.manifest.reading.nodes import Mapping, Node, parse
from rtrace.manifest.reading.runs import read_runs
from rtrace.manifest.reading.sections import (
    read_completion,
    read_digests,
    read_elsewhere,
    read_folder,
    read_ignored,
    read_named_file,
    read_notice,
    read_package,
    read_secret,
)
from rtrace.printable import shorten

if TYPE_CHECKING:
    from collections.abc import Container, Iterable

_LIMIT = 16 << 20
_SHOWN_RUNS = 8


def load(source: str | bytes | Path, name: str = "manifest.yml") -> Manifest:
    """Read a manifest from its text, or from the file at a path; ``name`` is what errors call a text.

    Raises ManifestError for what is not a manifest of a format that this rtrace knows.
    """
    if isinstance(source, Path):
        name = str(source)
    return _manifest(parse(read_text(source, name), name))


@functools.lru_cache(maxsize=1)
def load_once(text: str | bytes, name: str) -> Manifest:
    """Read a manifest as `load` does; who asks for the same as the last one, as of a bundle opened twice, gets that."""
    return load(text, name)


def read_text(source: str | bytes | Path, name: str = "manifest.yml") -> str:
    """Return the text of a manifest. Raises ManifestError for what is not text, or too much of it."""
    if isinstance(source, Path):
        name = str(source)
        try:
            with source.open("rb") as file:
                source = file.read(_LIMIT + 1)
        except OSError as error:
            raise ManifestError(f"cannot read {name}: {error.strerror}") from None
    if len(source) > _LIMIT:
        raise ManifestError(f"{name} is larger than {_LIMIT >> 20} MiB, the limit for a manifest")
    if isinstance(source, bytes):
        try:
            source = source.decode()
        except UnicodeDecodeError as error:
            line = error.object.count(b"\n", 0, error.start) + 1
            raise ManifestError(f"{name}, line {line}: this is not UTF-8; write such bytes as !!binary") from None
    return source


def _manifest(node: Node) -> Manifest:
    _check_version(node)
    fields = Fields(node, keys.MANIFEST, "a manifest")
    manifest = Manifest(
        rtrace=fields.take("rtrace", string),
        runs=fields.take("runs", read_runs),
        inputs=fields.take_or("inputs", items(read_named_file), ()),
        outputs=fields.take_or("outputs", items(read_named_file), ()),
        packages=fields.take_or("packages", items(read_package), ()),
        completion=fields.take_or("completion", items(read_completion), ()),
        exclude=fields.take_or("exclude", items(pattern), ()),
        include=fields.take_or("include", items(absolute_pattern), ()),
        ignore=fields.take_or("ignore", read_ignored, ()),
        claims=fields.take_or("claims", read_claims, ()),
        secrets=fields.take_or("secrets", items(read_secret), ()),
        elsewhere=fields.take_or("elsewhere", items(read_elsewhere), ()),
        notices=fields.take_or("notices", items(read_notice), ()),
        unowned=fields.take_or("unowned", items(read_folder), ()),
        digests=fields.take_or("digests", read_digests, {}),
    )
    _check_names(fields, manifest)
    return manifest


def _check_version(node: Node) -> None:
    """Refuse a newer format before its unknown keys are stumbled over."""
    if not isinstance(node, Mapping):
        raise node.place.error("a manifest has to be a mapping; its first key is `version`")
    versions = [value for key, value in node.pairs if key.value == "version"]
    if not versions:
        raise node.place.error("a manifest lacks the key 'version'")
    version = count(versions[0])
    if version > MANIFEST_FORMAT:
        raise versions[0].place.error(
            f"this manifest has format {version}, made by a newer rtrace; this one reads {MANIFEST_FORMAT}"
        )
    if version < 1:
        raise versions[0].place.error(f"there is no manifest format {version}")


def _check_names(fields: Fields, manifest: Manifest) -> None:
    """Refuse a name that means two things."""
    for file in manifest.inputs:
        if file.compare is not None:
            name = shorten(file.name)
            raise fields.place.error(f"the input {name!r} has a `compare`; only what a run writes is compared")
    _refuse_twice(fields, "the run id", (run.id for run in manifest.runs))
    _refuse_twice(fields, "the name of the input", (file.name for file in manifest.inputs))
    _refuse_twice(fields, "the name of the output", (file.name for file in manifest.outputs))
    names = [run.id for run in manifest.runs]
    known = frozenset(names)
    none: tuple[tuple[Node, ...], ...] = ()
    for key in ("inputs", "outputs"):
        for nodes in fields.take_or(key, items(_references), none):
            for node in nodes:
                _check_reference(node, known, names)
    outputs = {file.name: file for file in manifest.outputs}
    claims: tuple[Node, ...] = fields.take_or("claims", items(lambda item: item), ())
    check_claims(claims, outputs, lambda node: _check_reference(node, known, names))
    above: set[str] = set()
    for run, nodes in zip(manifest.runs, fields.take("runs", items(_needs)), strict=True):
        for node in nodes:
            _check_reference(node, above, names)
        above.add(run.id)


def _references(node: Node) -> tuple[Node, ...]:
    """Return the nodes by which a named file refers to runs."""
    return Fields(node, keys.NAMED_FILE, "a named file").take_or("runs", items(lambda item: item), ())


def _needs(node: Node) -> tuple[Node, ...]:
    """Return the nodes by which a run refers to others."""
    return Fields(node, keys.RUN, "a run").take_or("needs", items(lambda item: item), ())


def _check_reference(node: Node, known: Container[str], names: list[str]) -> None:
    """Refuse the name of a run that is not there, or not above."""
    name = string(node)
    if name in known:
        return
    if name in names:
        raise node.place.error(
            f"this names the run {shorten(name)!r}, which is not above; a run needs earlier ones only"
        )
    close = find_close(name, names)
    some = ", ".join(shorten(one) for one in names[:_SHOWN_RUNS]) + (", ..." if len(names) > _SHOWN_RUNS else "")
    advice = f"did you mean {shorten(close[0])}?" if close else f"there is {some or 'none'}"
    raise node.place.error(
        f"this names the run {shorten(name)!r}, which is not among the runs; {advice} (change it here, too)"
    )


def _refuse_twice(fields: Fields, what: str, names: Iterable[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise fields.place.error(f"{what} {shorten(name)!r} occurs twice")
        seen.add(name)
