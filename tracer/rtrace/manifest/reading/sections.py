"""The sections of a manifest from their YAML, but for the runs: named files, packages, secrets and so on."""

from __future__ import annotations

from rtrace.manifest.model import Completion, Elsewhere, Folder, NamedFile, Notice, Package, Secret, SecretPack
from rtrace.manifest.reading import keys
from rtrace.manifest.reading.comparisons import read_comparison
from rtrace.manifest.reading.fields import (
    Fields,
    absolute_pattern,
    boolean,
    count,
    digest,
    items,
    path,
    pattern,
    string,
    url,
)
from rtrace.manifest.reading.nodes import Mapping, Node, Scalar
from rtrace.printable import shorten

_MOST_IGNORED, _IGNORED_ROOM = 256, 16 << 10
"""How many patterns there may be of what is ignored, and their bytes: a bundle may come from anybody."""


def read_ignored(node: Node) -> tuple[bytes, ...]:
    """Read the patterns of what is ignored: not too many, and none that is empty."""
    found = items(pattern)(node)
    if b"" in found:
        raise node.place.error("a pattern under `ignore` is empty; write ** for everything")
    if len(found) > _MOST_IGNORED or sum(map(len, found)) > _IGNORED_ROOM:
        raise node.place.error(f"`ignore` takes {_MOST_IGNORED} patterns of {_IGNORED_ROOM >> 10} KiB together")
    return found


def read_named_file(node: Node) -> NamedFile:
    """Read an input or output."""
    fields = Fields(node, keys.NAMED_FILE, "a named file")
    return NamedFile(
        fields.take("name", string),
        fields.take("path", path),
        fields.take_or("runs", items(string), ()),
        fields.take_or("pattern", absolute_pattern, None),
        fields.take_or("compare", read_comparison, None),
    )


def read_completion(node: Node) -> Completion:
    """Read what completes a part that the runs used."""
    fields = Fields(node, keys.COMPLETION, "a completion")
    return Completion(
        rule=fields.take("rule", string),
        name=fields.take("name", string),
        files=fields.take("files", count),
        size=fields.take("size", count),
        pack=fields.take_or("pack", boolean, default=True),
    )


def read_package(node: Node) -> Package:
    """Read a package, and whether to pack it."""
    fields = Fields(node, keys.PACKAGE, "a package")
    return Package(
        name=fields.take("name", string),
        version=fields.take("version", string),
        architecture=fields.take("architecture", string),
        manager=fields.take("manager", string),
        files=fields.take("files", count),
        size=fields.take("size", count),
        pack=fields.take_or("pack", boolean, default=True),
        origin=fields.take_or("origin", string, ""),
    )


def read_secret(node: Node) -> Secret:
    """Read what looks like a secret, and what becomes of it."""
    fields = Fields(node, keys.SECRET, "a secret")
    return Secret(
        place=fields.take("place", string),
        rule=fields.take_or("rule", string, None),
        what=fields.take_or("what", string, ""),
        pack=fields.take("pack", _secret_pack),
    )


def _secret_pack(node: Node) -> SecretPack:
    if isinstance(node, Scalar) and not node.binary and (node.plain or node.value == SecretPack.REDACTED.value):
        for pack in SecretPack:
            if pack.value == node.value:
                return pack
    raise node.place.error("true (as it is), redacted or false (left out) is expected here")


def read_elsewhere(node: Node) -> Elsewhere:
    """Read what content is left out, and where it is."""
    fields = Fields(node, keys.ELSEWHERE, "what is elsewhere")
    return Elsewhere(
        fields.take("path", absolute_pattern),
        fields.take_or("size", count, None),
        fields.take_or("sha256", digest, None),
        fields.take_or("url", url, None),
    )


def read_folder(node: Node) -> Folder:
    """Read a folder of files without an owner."""
    fields = Fields(node, keys.FOLDER, "a folder of unowned files")
    return Folder(fields.take("path", path), fields.take("files", count), fields.take("size", count))


def read_notice(node: Node) -> Notice:
    """Read what could not be captured, and the advice."""
    fields = Fields(node, keys.NOTICE, "a notice")
    return Notice(fields.take("kind", string), fields.take("what", string), fields.take("advice", string))


def read_digests(node: Node) -> dict[str, str]:
    """Read the digests of the other members of a bundle, by name."""
    if not isinstance(node, Mapping):
        raise node.place.error("a mapping of members to digests is expected here")
    found: dict[str, str] = {}
    for key, value in node.pairs:
        if key.value in found:
            raise key.place.error(f"the key {shorten(key.value)!r} occurs twice")
        found[key.value] = digest(value)
    return found
