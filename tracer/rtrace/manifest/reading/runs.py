"""The runs of a manifest from their YAML."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rtrace.manifest.environments import LIMIT, measure
from rtrace.manifest.model import LARGEST_DESCRIPTOR, Descriptor, Input, Output, Run
from rtrace.manifest.reading import keys
from rtrace.manifest.reading.comparisons import read_comparison
from rtrace.manifest.reading.environ import read_environ
from rtrace.manifest.reading.fields import (
    Fields,
    boolean,
    byte_string,
    count,
    digest,
    integer,
    items,
    number,
    octal,
    path,
    program,
    string,
)
from rtrace.printable import shorten

if TYPE_CHECKING:
    from collections.abc import Mapping as Known

    from rtrace.manifest.model import Environment
    from rtrace.manifest.reading.nodes import Node

_OUTPUT_KINDS = ("terminal", "pipe", "file")
_DESCRIPTOR_KINDS = ("file", "pipe", "same", "null", "closed")
_WITH_PATH = ("file", "pipe")
_ACCESSES = ("read", "write", "read write", "write append", "read write append")
_STANDARD_ERROR = 2


def read_runs(node: Node) -> tuple[Run, ...]:
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
        environ=read_environ(fields, environs),
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
    given = {0, 1, 2}
    for descriptor in found:  # any other number may be one of rtrace's own while a program is started
        if descriptor.same is not None and descriptor.same not in given:
            raise node.place.error(f"descriptor {descriptor.same} is not above, for {descriptor.number} to be the same")
        given.add(descriptor.number)
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
        raise node.place.error(f"{shorten(kind)!r} is not a kind of descriptor; choose one of: {known}")
    return kind


def _access(node: Node) -> str:
    access = string(node)
    if access not in _ACCESSES:
        raise node.place.error(
            f"{shorten(access)!r} is not a way to open a file; choose one of: {', '.join(_ACCESSES)}"
        )
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
        compare=fields.take_or("compare", read_comparison, None),
    )


def _output_kind(node: Node) -> str:
    kind = string(node)
    if kind not in _OUTPUT_KINDS:
        raise node.place.error(
            f"{shorten(kind)!r} is not a kind of output stream; choose one of: {', '.join(_OUTPUT_KINDS)}"
        )
    return kind


def _window(node: Node) -> tuple[int, int]:
    values = items(count)(node)
    if len(values) != 2 or max(values) > 0xFFFF:  # noqa: PLR2004 -- it is a pair, of 16 bits each
        raise node.place.error("two numbers are expected here: rows and columns")
    return (values[0], values[1])


def _pair(node: Node) -> tuple[str, str]:
    values = items(string)(node)
    if len(values) != 2:  # noqa: PLR2004 -- it is a pair
        raise node.place.error("a list of two strings is expected here: name and version")
    return (values[0], values[1])
