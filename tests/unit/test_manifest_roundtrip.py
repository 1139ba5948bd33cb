"""A manifest says the same after it was written and read again, whatever bytes are in it."""

import re
from dataclasses import replace

import pytest
import yaml
from hypothesis import given, settings

from bundle_samples import MANIFEST, RUN
from manifests import (
    BYTES,
    manifests,
)
from rtrace.errors import ManifestError
from rtrace.manifest.model import Folder, Manifest, NamedFile, Package
from rtrace.manifest.reading.load import load
from rtrace.manifest.render import render
from rtrace.manifest.scalars import byte_string


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
    """Return the bytes of a scalar."""
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
        "  # 2.1 MiB"
    ) in lines
    assert "#         2 files   12.1 KiB  /home/u" in lines
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
