"""`rtrace appendix` of real bundles: LaTeX sets it, cffconvert takes it, and an anonymous bundle stays anonymous."""

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

Rtrace = Callable[..., CompletedProcess[bytes]]
CHECKOUT = Path(__file__).resolve().parents[2]
HOSTILE = "50% of \\input{/etc/passwd} $5 & #1_~^ \\write18{touch owned} {} \\end{document} \u4e2d\u6587 \u00e9"
CLAIM = f"""
claims:
  - claim: {json.dumps(HOSTILE)}
    run: run1
    outputs: [out_5%.txt]
    tolerance: 0.01
"""


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundle of a run with odd words, and a claim on it."""
    from observing import run_rtrace

    work = tmp_path_factory.mktemp("appendix") / "work"
    work.mkdir()
    (work / "in.txt").write_text("1")
    command = ("/bin/sh", "-c", 'cat in.txt > "out_5%.txt"; : "$1"', "x", HOSTILE)
    assert run_rtrace("trace", "-q", "--no-history", *command, cwd=work).returncode == 0
    manifest = work / ".rtrace/manifest.yml"
    manifest.write_text(manifest.read_text() + CLAIM)
    packed = run_rtrace("pack", "-q", work.parent / "b_1%.rpz", cwd=work)
    assert packed.returncode == 0, packed.stderr
    return work.parent / "b_1%.rpz"


@pytest.mark.requires("pdflatex")
@pytest.mark.parametrize("venue", ["acm", "usenix", "eurosys"])
def test_latex_sets_it(venue: str, bundle: Path, tmp_path: Path, rtrace: Rtrace) -> None:
    """With shell escapes on, whatever the bundle says: each word is shown, and none is obeyed."""
    written = rtrace("appendix", "--venue", venue, "--appendix", "-o", tmp_path / "appendix.tex", bundle)
    assert written.returncode == 0, written.stderr
    assert b"TODO(author)" in written.stderr
    lines = ["\\documentclass{article}", "\\begin{document}", "\\appendix", "\\input{appendix}", "\\end{document}", ""]
    (tmp_path / "paper.tex").write_text("\n".join(lines))
    argv = ["pdflatex", "-shell-escape", "-interaction=nonstopmode", "-halt-on-error", "paper.tex"]
    done = subprocess.run(argv, cwd=tmp_path, check=False, capture_output=True, timeout=240)
    assert done.returncode == 0, done.stdout[-3000:]
    assert not (tmp_path / "owned").exists()
    log = (tmp_path / "paper.log").read_text("utf-8", "replace")
    assert "(/etc/passwd" not in log.replace("\n", "")  # as TeX tells of a file that it reads
    shown = subprocess.run(["pdftotext", "paper.pdf", "-"], cwd=tmp_path, check=True, capture_output=True).stdout
    flat = b"".join(shown.split())
    for word in (b"50%of", b"/etc/passwd", b"write18", b"touchowned", b"enddocument", b"[U+4E2D][U+6587]"):
        assert word in flat.replace(b"{", b"").replace(b"}", b"")


def test_all_parts_go_into_a_folder(bundle: Path, tmp_path: Path, rtrace: Rtrace) -> None:
    """Never over what is there; what only the author knows is counted."""
    done = rtrace("appendix", "--venue", "pets", "--json", "-o", tmp_path / "all", bundle)
    told = json.loads(done.stdout)
    names = ["ARTIFACT-APPENDIX.md", "README.md", "CITATION.cff", "codemeta.json", ".zenodo.json"]
    assert told["files"] == [str(tmp_path / "all" / name) for name in names]
    assert sorted(os.listdir(tmp_path / "all")) == sorted(names)
    assert f"{len(told['todo'])} things that only you know".encode() in done.stderr
    text = (tmp_path / "all/ARTIFACT-APPENDIX.md").read_text()
    assert "\nrtrace verify b_1%.rpz run1\n" in text
    again = rtrace("appendix", "--venue", "pets", "-o", tmp_path / "all", bundle)
    assert again.returncode == 2
    assert b"exists already" in again.stderr
    assert rtrace("appendix", "--venue", "pets", "--force", "-o", tmp_path / "all", bundle).returncode == 0
    alone = rtrace("appendix", "--zenodo", bundle)
    assert alone.stdout == (tmp_path / "all/.zenodo.json").read_bytes()


@pytest.mark.requires("cffconvert")
def test_the_citation_is_valid(bundle: Path, tmp_path: Path, rtrace: Rtrace) -> None:
    """By the schema of the Citation File Format, as cffconvert has it."""
    (tmp_path / "CITATION.cff").write_bytes(rtrace("appendix", "--citation", bundle).stdout)
    program = CHECKOUT / ".bench/cffconvert/bin/cffconvert"
    done = subprocess.run([program, "--validate", "-i", "CITATION.cff"], cwd=tmp_path, check=False, capture_output=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_an_anonymous_bundle_stays_anonymous(tmp_path: Path, rtrace: Rtrace) -> None:
    """Neither the user nor the machine is in anything that is written."""
    work = tmp_path / "work"
    work.mkdir()
    assert rtrace("trace", "-q", "--no-history", "/bin/sh", "-c", "echo 1 > out", cwd=work).returncode == 0
    packed = rtrace("pack", "-q", "--anonymous", tmp_path / "a.rpz", cwd=work)
    assert packed.returncode == 0, packed.stderr
    assert rtrace("appendix", "-o", tmp_path / "all", tmp_path / "a.rpz").returncode == 0
    host = os.uname().nodename
    for file in (tmp_path / "all").iterdir():
        assert host not in file.read_text(), file


def test_a_bundle_that_is_none_is_refused(tmp_path: Path, rtrace: Rtrace) -> None:
    """And nothing is written."""
    (tmp_path / "x.rpz").write_bytes(b"no bundle")
    done = rtrace("appendix", "-o", tmp_path / "all", tmp_path / "x.rpz")
    assert (done.returncode, done.stderr.count(b"\n")) == (125, 1)
    assert not (tmp_path / "all").exists()
