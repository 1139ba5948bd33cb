"""A manifest from its YAML: strict, and with the line and column of what is wrong. The inverse of `render`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from rtrace.errors import ManifestError
from rtrace.manifest.environments import LIMIT, PREFIX, add_variables, measure
from rtrace.manifest.model import (
    LARGEST_DESCRIPTOR,
    MANIFEST_FORMAT,
    Completion,
    Descriptor,
    Elsewhere,
    Folder,
    Input,
    Manifest,
    NamedFile,
    Notice,
    Output,
    Package,
    Run,
    Secret,
    SecretPack,
)
from rtrace.manifest.reading import keys
from rtrace.manifest.reading.fields import (
    Fields,
    absolute_pattern,
    boolean,
    byte_string,
    count,
    digest,
    find_close,
    integer,
    items,
    number,
    octal,
    path,
    pattern,
    program,
    string,
    url,
)
from rtrace.manifest.reading.nodes import Mapping, Node, Scalar, Sequence, parse
from rtrace.printable import shorten

if TYPE_CHECKING:
    from collections.abc import Container, Iterable
    from collections.abc import Mapping as Known

    from rtrace.manifest.model import Environment

_LIMIT = 16 << 20
_SHOWN_RUNS = 8
_MOST_IGNORED, _IGNORED_ROOM = 256, 16 << 10
"""How many patterns there may be of what is ignored, and their bytes: a bundle may come from anybody."""

_OUTPUT_KINDS = ("terminal", "pipe", "file")
_DESCRIPTOR_KINDS = ("file", "pipe", "same", "null", "closed")
_WITH_PATH = ("file", "pipe")
_ACCESSES = ("read", "write", "read write", "write append", "read write append")
_STANDARD_ERROR = 2


def load(source: str | bytes | Path, name: str = "manifest.yml") -> Manifest:
    """Read a manifest from its text, or from the file at a path; ``name`` is what errors call a text.

    Raises ManifestError for what is not a manifest of a format that this rtrace knows.
    """
    if isinstance(source, Path):
        name = str(source)
    return _manifest(parse(read_text(source, name), name))


def read_text(source: str | bytes | Path, name: str = "manifest.yml") -> str:
    """Give the text of a manifest, as far as it is text and not too much of it; raises ManifestError."""
    if isinstance(source, Path):
        name = str(source)
        try:
            with source.open("rb") as file:
                source = file.read(_LIMIT + 1)
        except OSError as error:
            raise ManifestError(f"cannot read {name}: {error.strerror}") from None
    if len(source) > _LIMIT:
        raise ManifestError(f"{name} is larger than {_LIMIT >> 20} MiB; no manifest is")
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
        runs=fields.take("runs", _runs),
        inputs=fields.take_or("inputs", items(_named_file), ()),
        outputs=fields.take_or("outputs", items(_named_file), ()),
        packages=fields.take_or("packages", items(_package), ()),
        completion=fields.take_or("completion", items(_completion), ()),
        exclude=fields.take_or("exclude", items(pattern), ()),
        include=fields.take_or("include", items(absolute_pattern), ()),
        ignore=fields.take_or("ignore", _ignored, ()),
        secrets=fields.take_or("secrets", items(_secret), ()),
        elsewhere=fields.take_or("elsewhere", items(_elsewhere), ()),
        notices=fields.take_or("notices", items(_notice), ()),
        unowned=fields.take_or("unowned", items(_folder), ()),
        digests=fields.take_or("digests", _digests, {}),
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
    above: set[str] = set()
    for run, nodes in zip(manifest.runs, fields.take("runs", items(_needs)), strict=True):
        for node in nodes:
            _check_reference(node, above, names)
        above.add(run.id)


def _references(node: Node) -> tuple[Node, ...]:
    """Give the nodes by which a named file refers to runs."""
    return Fields(node, keys.NAMED_FILE, "a named file").take_or("runs", items(lambda item: item), ())


def _needs(node: Node) -> tuple[Node, ...]:
    """Give the nodes by which a run refers to others."""
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
            raise fields.place.error(f"{what} {shorten(name)!r} is there twice")
        seen.add(name)


def _runs(node: Node) -> tuple[Run, ...]:
    """Read the runs in their order: one may have the environment of one above it."""
    environs: dict[str, Environment] = {}
    total = 0

    def read(item: Node) -> Run:
        nonlocal total
        run = _run(item, environs)
        environs.setdefault(run.id, run.environ)
        total += measure(run.environ)
        if total > LIMIT:
            raise item.place.error(f"the environments of the runs take more than {LIMIT >> 20} MiB together")
        return run

    return items(read)(node)


def _run(node: Node, environs: Known[str, Environment]) -> Run:
    fields = Fields(node, keys.RUN, "a run")
    argv = fields.take("argv", items(byte_string))
    if not argv:
        raise fields.take("argv", lambda item: item.place).error("an argv has at least the program's name")
    return Run(
        id=fields.take("id", string),
        argv=argv,
        binary=fields.take("binary", program),
        workingdir=fields.take("workingdir", path),
        environ=_whole_environ(fields, environs),
        uid=fields.take("uid", count),
        gid=fields.take("gid", count),
        groups=fields.take_or("groups", items(count), ()),
        umask=fields.take("umask", octal),
        hostname=fields.take("hostname", string),
        architecture=fields.take("architecture", string),
        system=fields.take("system", _pair),
        distribution=fields.take("distribution", _pair),
        started=fields.take_or("started", number, None),
        finished=fields.take_or("finished", number, None),
        exit_code=fields.take_or("exit_code", integer, None),
        signal=fields.take_or("signal", count, None),
        stdin=fields.take_or("stdin", _input, None),
        stdout=fields.take_or("stdout", _output, None),
        stderr=fields.take_or("stderr", _output, None),
        needs=fields.take_or("needs", items(string), ()),
        descriptors=fields.take_or("descriptors", _descriptors, ()),
    )


def _input(node: Node) -> Input:
    fields = Fields(node, keys.STANDARD_INPUT, "a standard input")
    return Input(
        fields.take("path", path), fields.take_or("offset", count, 0), fields.take_or("pipe", boolean, default=False)
    )


def _descriptors(node: Node) -> tuple[Descriptor, ...]:
    found = items(_descriptor)(node)
    if len({descriptor.number for descriptor in found}) < len(found):
        raise node.place.error("a descriptor is here twice")
    return found


def _descriptor(node: Node) -> Descriptor:
    fields = Fields(node, keys.DESCRIPTOR, "a descriptor")
    descriptor = Descriptor(
        number=fields.take("descriptor", count),
        kind=fields.take("kind", _descriptor_kind),
        path=fields.take_or("path", path, None),
        offset=fields.take_or("offset", count, 0),
        access=fields.take_or("access", _access, "read"),
        same=fields.take_or("same", count, None),
    )
    number, kind = descriptor.number, descriptor.kind
    if number > LARGEST_DESCRIPTOR:
        raise fields.place.error(f"a replay has no descriptor above {LARGEST_DESCRIPTOR}")
    if kind == "closed" and number > _STANDARD_ERROR:
        raise fields.place.error("standard streams alone are `closed`; leave the descriptor out")
    if kind != "closed" and number <= _STANDARD_ERROR and (number, kind) != (0, "null"):
        raise fields.place.error("a standard stream is `closed` here; a file to be read goes under `stdin`")
    if (descriptor.path is not None) != (kind in _WITH_PATH):
        raise fields.place.error("a `path` goes with `kind: file` and `kind: pipe`, and with no other")
    if (descriptor.same is not None) != (kind == "same") or (descriptor.same is not None and descriptor.same >= number):
        raise fields.place.error("`same` goes with `kind: same`, and is the number of a lower descriptor")
    return descriptor


def _descriptor_kind(node: Node) -> str:
    kind = string(node)
    if kind not in _DESCRIPTOR_KINDS:
        known = ", ".join(_DESCRIPTOR_KINDS)
        raise node.place.error(f"{shorten(kind)!r} is no kind of descriptor; known are {known}")
    return kind


def _access(node: Node) -> str:
    access = string(node)
    if access not in _ACCESSES:
        raise node.place.error(f"{shorten(access)!r} is no way to open a file; known are {', '.join(_ACCESSES)}")
    return access


def _output(node: Node) -> Output:
    fields = Fields(node, keys.OUTPUT_STREAM, "an output stream")
    return Output(
        kind=fields.take("kind", _output_kind),
        size=fields.take_or("size", count, None),
        sha256=fields.take_or("sha256", digest, None),
        window=fields.take_or("window", _window, None),
        cut=fields.take_or("cut", boolean, default=False),
        joined=fields.take_or("joined", boolean, default=False),
    )


def _output_kind(node: Node) -> str:
    kind = string(node)
    if kind not in _OUTPUT_KINDS:
        raise node.place.error(f"{shorten(kind)!r} is no kind of output stream; known are {', '.join(_OUTPUT_KINDS)}")
    return kind


def _window(node: Node) -> tuple[int, int]:
    values = items(count)(node)
    if len(values) != 2 or max(values) > 0xFFFF:  # noqa: PLR2004 -- it is a pair, of 16 bits each
        raise node.place.error("two numbers are wanted here: rows and columns")
    return (values[0], values[1])


def _pair(node: Node) -> tuple[str, str]:
    values = items(string)(node)
    if len(values) != 2:  # noqa: PLR2004 -- it is a pair
        raise node.place.error("a list of two strings is wanted here: name and version")
    return (values[0], values[1])


def _whole_environ(fields: Fields, environs: Known[str, Environment]) -> Environment:
    """Read the environment of a run: all of it, or that of a run above with other variables besides."""
    environ = fields.take("environ", lambda node: _environ(node, environs))
    none: Environment = ()
    besides = fields.take_or("environ_besides", _variables, none)
    if besides and not fields.take("environ", lambda node: isinstance(node, Scalar)):
        place = fields.take("environ_besides", lambda node: node.place)
        raise place.error("`environ_besides` goes with `environ: as` and the id of a run above; add these to `environ`")
    return add_variables(environ, besides)


def _environ(node: Node, environs: Known[str, Environment]) -> Environment:
    if not isinstance(node, Mapping):
        if not isinstance(node, Sequence):
            if not node.binary and node.value.startswith(PREFIX):
                return _environ_of(node, environs)
            raise node.place.error(
                "a mapping of names to values is wanted here, a list of NAME=VALUE, or `as` and the id of a run above"
            )
        return tuple(map(_split, items(byte_string)(node)))
    return _variables(node)


def _variables(node: Node) -> Environment:
    if not isinstance(node, Mapping):
        raise node.place.error("a mapping of names to values is wanted here")
    found: dict[bytes, bytes | None] = {}
    for key, value in node.pairs:
        name = byte_string(key)
        if b"=" in name:
            raise key.place.error("a variable's name cannot hold an =")
        if name in found:
            raise key.place.error(f"the variable {shorten(key.value)!r} is here for the second time")
        found[name] = byte_string(value)
    return tuple(found.items())


def _environ_of(node: Node, environs: Known[str, Environment]) -> Environment:
    """Give the environment of the run above that is named here."""
    name = string(node).removeprefix(PREFIX)
    if name not in environs:
        close = find_close(name, environs)
        advice = (
            f"did you mean {PREFIX}{close[0]}?"
            if close
            else "write the variables here, or the name that the run has now"
        )
        raise node.place.error(f"this names the run {shorten(name)!r}, which is not among those above; {advice}")
    return environs[name]


def _split(item: bytes) -> tuple[bytes, bytes | None]:
    name, equals, value = item.partition(b"=")
    return (name, value if equals else None)


def _ignored(node: Node) -> tuple[bytes, ...]:
    found = items(pattern)(node)
    if b"" in found:
        raise node.place.error("a pattern under `ignore` is empty; write ** for everything")
    if len(found) > _MOST_IGNORED or sum(map(len, found)) > _IGNORED_ROOM:
        raise node.place.error(f"`ignore` takes {_MOST_IGNORED} patterns of {_IGNORED_ROOM >> 10} KiB together")
    return found


def _named_file(node: Node) -> NamedFile:
    fields = Fields(node, keys.NAMED_FILE, "a named file")
    return NamedFile(
        fields.take("name", string),
        fields.take("path", path),
        fields.take_or("runs", items(string), ()),
        fields.take_or("pattern", absolute_pattern, None),
    )


def _completion(node: Node) -> Completion:
    fields = Fields(node, keys.COMPLETION, "a completion")
    return Completion(
        rule=fields.take("rule", string),
        name=fields.take("name", string),
        files=fields.take("files", count),
        size=fields.take("size", count),
        pack=fields.take_or("pack", boolean, default=True),
    )


def _package(node: Node) -> Package:
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


def _secret(node: Node) -> Secret:
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
    raise node.place.error("true (as it is), redacted or false (left out) is wanted here")


def _elsewhere(node: Node) -> Elsewhere:
    fields = Fields(node, keys.ELSEWHERE, "what is elsewhere")
    return Elsewhere(
        fields.take("path", absolute_pattern),
        fields.take_or("size", count, None),
        fields.take_or("sha256", digest, None),
        fields.take_or("url", url, None),
    )


def _folder(node: Node) -> Folder:
    fields = Fields(node, keys.FOLDER, "a folder of unowned files")
    return Folder(fields.take("path", path), fields.take("files", count), fields.take("size", count))


def _notice(node: Node) -> Notice:
    fields = Fields(node, keys.NOTICE, "a notice")
    return Notice(fields.take("kind", string), fields.take("what", string), fields.take("advice", string))


def _digests(node: Node) -> dict[str, str]:
    if not isinstance(node, Mapping):
        raise node.place.error("a mapping of members to digests is wanted here")
    found: dict[str, str] = {}
    for key, value in node.pairs:
        if key.value in found:
            raise key.place.error(f"the key {shorten(key.value)!r} is here for the second time")
        found[key.value] = digest(value)
    return found
