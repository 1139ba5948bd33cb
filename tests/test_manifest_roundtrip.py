"""A manifest says the same after it was written and read again, whatever bytes are in it."""

import re
import string
from dataclasses import replace

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from bundle_samples import MANIFEST, RUN
from rtrace.errors import ManifestError
from rtrace.manifest.environments import add_variables
from rtrace.manifest.model import (
    LARGEST_DESCRIPTOR,
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
from rtrace.manifest.reading.load import load
from rtrace.manifest.render import render
from rtrace.manifest.scalars import byte_string

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
OUTPUTS = st.builds(
    Output,
    kind=st.sampled_from(["terminal", "pipe", "file"]),
    size=st.none() | COUNT,
    sha256=st.none() | DIGEST,
    window=st.none() | st.tuples(SIDE, SIDE),
    cut=st.booleans(),
    joined=st.booleans(),
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
    return Manifest(
        rtrace=draw(TEXT),
        runs=runs,
        inputs=draw(named_files(runs)),
        outputs=draw(named_files(runs)),
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


@settings(deadline=None)
@given(manifests())
def test_load_is_the_inverse_of_render(manifest: Manifest) -> None:
    """Arguments, environments, paths and texts of any bytes come back; so do empty lists and absent times."""
    assert load(render(manifest)) == manifest


@settings(deadline=None)
@given(manifests())
def test_others_read_the_same(manifest: Manifest) -> None:
    """PyYAML's own loader takes what is rendered for strings, numbers and bytes just as rtrace does."""
    found = yaml.safe_load(render(manifest))
    assert found["version"] == 1
    assert found["rtrace"] == manifest.rtrace
    for run, expected in zip(found["runs"], manifest.runs, strict=True):
        assert run["id"] == expected.id
        assert [as_bytes(item) for item in run["argv"]] == list(expected.argv)
        assert run["uid"] == expected.uid
        assert run["umask"] == f"{expected.umask:04o}"
        assert run["hostname"] == expected.hostname
        if isinstance(run["environ"], str):
            assert run["environ"] == f"as {manifest.runs[0].id}"
            besides = {as_bytes(name): as_bytes(value) for name, value in run.get("environ_besides", {}).items()}
            assert {**dict(manifest.runs[0].environ), **besides} == dict(expected.environ)
        if isinstance(run["environ"], dict):
            assert [(as_bytes(name), as_bytes(value)) for name, value in run["environ"].items()] == list(
                expected.environ
            )
    assert [notice["what"] for notice in found.get("notices", [])] == [notice.what for notice in manifest.notices]
    assert [package["pack"] for package in found["packages"]] == [package.pack for package in manifest.packages]


def as_bytes(value: str | bytes) -> bytes:
    """Give the bytes of a scalar."""
    return value if isinstance(value, bytes) else value.encode()


@settings(deadline=None)
@given(BYTES)
def test_a_byte_string_stays_on_one_line(value: bytes) -> None:
    """However odd, a byte string is written on one line, without anything that a terminal acts upon."""
    written = byte_string(value)
    assert len(written.splitlines()) == 1
    assert not any(char < " " or "\x7f" <= char <= "\x9f" for char in written)


def test_the_file_reads_as_it_was_written() -> None:
    """Rendering twice gives the same text, and so does rendering what was read."""
    assert render(load(render(MANIFEST))) == render(MANIFEST)


def test_a_manifest_is_short_and_commented() -> None:
    """A run is shown the way a person writes it: plain words plain, the rest in quotes, the environment a mapping."""
    run = replace(RUN, environ=((b"PATH", b"/usr/bin"), (b"LANG", b"C")), argv=(b"./run.sh", b"--level", b"3", b"no"))
    text = render(
        Manifest(
            "0.1.0",
            (run,),
            inputs=(NamedFile("data.csv", b"/home/u/data.csv", ("run1",)),),
            packages=(Package("libc6", "2.36-9", "amd64", "dpkg", 3, 2168260),),
            folders=(Folder(b"/home/u", 2, 12_345),),
        )
    )
    lines = text.splitlines()
    assert '    argv: [./run.sh, --level, "3", "no"]' in lines or '    argv: [./run.sh, "--level", "3", "no"]' in lines
    assert '      LANG: "C"' in lines
    assert "  - {name: data.csv, path: /home/u/data.csv, runs: [run1]}" in lines
    assert (
        '  - {name: libc6, version: "2.36-9", files: 3, size: 2168260, pack: true, architecture: amd64, manager: dpkg}'
        "  # 2.2 MB"
    ) in lines
    assert "#         2 files   12.3 kB  /home/u" in lines
    assert "exclude: []" in lines
    assert "digests" not in text


def test_an_environment_that_was_met_before_is_named() -> None:
    """Of runs with the same environment the first has it, the others name that run; an empty one is written out."""
    other = replace(RUN, id="other", environ=((b"A", b"1"),))
    runs = (RUN, other, replace(RUN, id="run 3"), replace(other, id="run4"), replace(RUN, id="run5", environ=()))
    text = render(Manifest("0.1.0", runs))
    assert re.findall("(?m)^    environ: (.+)", text) == ["as run1", "as other", "{}"]
    assert load(text).runs == runs


def test_an_environment_that_is_nearly_as_one_before_is_named_with_what_is_another() -> None:
    """Ranks of a job have a few variables of their own; one that lacks a variable, or has many others, is whole."""
    base = tuple((b"V%d" % number, b"x") for number in range(12))
    environs = [
        base,
        (*base[:3], (b"V3", b"y"), *base[4:], (b"RANK", b"1")),
        base[1:],
        (*base[1:], base[0]),
        (*((name, b"z") for name, _ in base[:6]), *base[6:]),
    ]
    runs = tuple(replace(RUN, id=f"run{number}", environ=environ) for number, environ in enumerate(environs, 1))
    text = render(Manifest("0.1.0", runs))
    assert load(text).runs == runs
    assert re.findall("(?m)^    environ: (.+)", text) == ["as run1", "as run3"]
    assert '    environ: as run1\n    environ_besides:\n      V3: "y"\n      RANK: "1"\n' in text
    with pytest.raises(ManifestError, match="goes with `environ: as` and the id of a run above"):
        load(text.replace("environ: as run1\n", "environ: {V0: x}\n"))


def test_an_environment_may_be_named_above_only() -> None:
    """A run names none below it and not itself, and a few lines do not stand for more than memory holds."""
    run = render(Manifest("0.1.0", (RUN,)))
    named = run[: run.index("    environ:")] + "    environ: as run1\n"
    with pytest.raises(ManifestError, match="names the run 'run1', which is not among those above; write the"):
        load(named)
    large = replace(RUN, environ=((b"A", b"x" * (1 << 20)),))
    runs = tuple(replace(large, id=f"run{number}") for number in range(256))
    assert len(load(render(Manifest("0.1.0", runs[:-1]))).runs) == 255
    with pytest.raises(ManifestError, match="the environments of the runs take more than 256 MiB together"):
        load(render(Manifest("0.1.0", runs)))


def test_an_environment_that_is_no_mapping_is_a_list() -> None:
    """A name that comes twice, or an item without =, keeps its place and its form."""
    run = replace(RUN, environ=((b"A", b"1"), (b"A", b"2"), (b"B", None), (b"", b"x")))
    text = render(Manifest("0.1.0", (run,)))
    assert '      - "A=1"\n      - "A=2"\n      - B\n      - "=x"\n' in text
    assert load(text).runs == (run,)
