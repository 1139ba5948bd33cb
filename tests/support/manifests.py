"""Manifests of every kind, made by hypothesis."""

import re
import string
from dataclasses import replace

from hypothesis import strategies as st

from rtrace.manifest.environments import add_variables
from rtrace.manifest.model import (
    LARGEST_DESCRIPTOR,
    Claim,
    Comparison,
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
)

TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
NAME = TEXT.filter(bool)
BYTES = st.one_of(st.binary(), TEXT.map(str.encode)).map(lambda value: value.replace(b"\0", b""))
PATH = BYTES.map(lambda value: b"/" + value)
URL = st.none() | st.from_regex(r"\A(https?://[a-z0-9]|file:///)[!-~]*\Z")
COUNT = st.integers(0, 10**18)
TIME = st.floats(allow_nan=False, allow_infinity=False)
VARIABLE = st.tuples(BYTES.map(lambda name: name.replace(b"=", b"")), st.none() | BYTES)
DIGEST = st.text(string.hexdigits[:16], min_size=64, max_size=64)
SIDE = st.integers(0, 0xFFFF)
COMPARISONS = st.builds(
    Comparison,
    tolerance=st.none() | st.floats(0, 1),
    absolute=st.none() | st.floats(0, allow_infinity=False),
    ignore=st.lists(NAME.map(re.escape), max_size=2).map(tuple),
    unordered=st.booleans(),
)
OUTPUTS = st.builds(
    Output,
    kind=st.sampled_from(["terminal", "pipe", "file"]),
    size=st.none() | COUNT,
    sha256=st.none() | DIGEST,
    window=st.none() | st.tuples(SIDE, SIDE),
    cut=st.booleans(),
    joined=st.booleans(),
    compare=st.none() | COMPARISONS,
)
ACCESS = st.sampled_from(["read", "write", "read write", "write append", "read write append"])
NUMBER = st.integers(3, LARGEST_DESCRIPTOR)
DESCRIPTORS = st.one_of(
    st.builds(Descriptor, NUMBER, st.just("file"), PATH, COUNT, ACCESS),
    st.builds(Descriptor, NUMBER, st.just("pipe"), PATH),
    st.builds(Descriptor, NUMBER, st.just("same"), same=st.integers(0, 2)),
    st.builds(Descriptor, NUMBER, st.just("null")),
    st.builds(Descriptor, st.integers(0, 2), st.just("closed")),
)
RUNS = st.builds(
    Run,
    id=NAME,
    argv=st.lists(BYTES, min_size=1).map(tuple),
    binary=PATH,
    workingdir=PATH,
    environ=st.lists(VARIABLE).map(tuple),
    uid=COUNT,
    gid=COUNT,
    groups=st.lists(COUNT).map(tuple),
    umask=st.integers(0, 0o7777),
    hostname=TEXT,
    architecture=TEXT,
    system=st.tuples(TEXT, TEXT),
    distribution=st.tuples(TEXT, TEXT),
    started=TIME,
    finished=st.none() | TIME,
    exit_code=st.none() | st.integers(-(10**9), 10**9),
    signal=st.none() | COUNT,
    stdin=st.none() | st.builds(Input, PATH, COUNT, st.booleans()),
    stdout=st.none() | OUTPUTS,
    stderr=st.none() | OUTPUTS,
    descriptors=st.lists(DESCRIPTORS, unique_by=lambda descriptor: descriptor.number).map(tuple),
)


@st.composite
def named_files(draw: st.DrawFn, runs: tuple[Run, ...]) -> tuple[NamedFile, ...]:
    """Files with names that are unique, used by runs that there are."""
    names = draw(st.lists(NAME, unique=True, max_size=3))
    users = st.lists(st.sampled_from([run.id for run in runs])).map(tuple) if runs else st.just(())
    return tuple(NamedFile(name, draw(PATH), draw(users)) for name in names)


@st.composite
def claims(draw: st.DrawFn, runs: tuple[Run, ...], outputs: tuple[NamedFile, ...]) -> tuple[Claim, ...]:
    """Claims on runs that there are, and on their outputs."""
    found = []
    for run in draw(st.lists(st.sampled_from([run.id for run in runs]), max_size=2)) if runs else ():
        names = ["stdout", *(file.name for file in outputs if run in (file.runs or (run,)))]
        sentence = draw(TEXT.filter(str.strip))
        chosen = draw(st.lists(st.sampled_from(names), unique=True))
        found.append(Claim(sentence, run, tuple(chosen), draw(st.none() | st.floats(0, 1))))
    return tuple(found)


@st.composite
def manifests(draw: st.DrawFn) -> Manifest:
    """Any manifest."""
    runs = tuple(draw(st.lists(RUNS, max_size=2, unique_by=lambda run: run.id)))
    if draw(st.booleans()) and runs:
        base = (*runs[0].environ, *((b"V%d" % number, b"") for number in range(draw(st.sampled_from([0, 12])))))
        names = st.sampled_from([b"V1", b"V7", b"W", b"a b", b"\xff"])
        more = tuple(draw(st.lists(st.tuples(names, BYTES), max_size=2)))
        runs = (replace(runs[0], environ=base), *(replace(run, environ=add_variables(base, more)) for run in runs[1:]))
    packages = st.builds(Package, TEXT, TEXT, TEXT, TEXT, COUNT, COUNT, st.booleans(), TEXT)
    completions = st.builds(Completion, TEXT, TEXT, COUNT, COUNT, st.booleans())
    outputs = tuple(replace(file, compare=draw(st.none() | COMPARISONS)) for file in draw(named_files(runs)))
    return Manifest(
        rtrace=draw(TEXT),
        runs=runs,
        inputs=draw(named_files(runs)),
        outputs=outputs,
        claims=draw(claims(runs, outputs)),
        packages=tuple(draw(st.lists(packages, max_size=2))),
        completion=tuple(draw(st.lists(completions, max_size=2))),
        exclude=tuple(draw(st.lists(BYTES, max_size=2))),
        include=tuple(draw(st.lists(PATH, max_size=2))),
        elsewhere=tuple(
            draw(st.lists(st.builds(Elsewhere, PATH, st.none() | COUNT, st.none() | DIGEST, URL), max_size=2))
        ),
        notices=tuple(draw(st.lists(st.builds(Notice, TEXT, TEXT, TEXT), max_size=2))),
        unowned=tuple(draw(st.lists(st.builds(Folder, PATH, COUNT, COUNT), max_size=2))),
        digests=draw(st.dictionaries(NAME, DIGEST, max_size=2)),
        folders=tuple(draw(st.lists(st.builds(Folder, PATH, COUNT, COUNT), max_size=2))),
    )
