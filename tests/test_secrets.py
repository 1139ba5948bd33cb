"""`rtrace audit`: secrets in what ran and in what was packed are found, and their values stay unsaid."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from bundle_making import BundleMaker, make_run
from rtrace.bundle.reading.bundle_reader import open_bundle
from rtrace.errors import BundleError
from rtrace.operations.audit import audit_bundle
from rtrace.privacy.rules.table import RULES
from rtrace.privacy.searching.scan import find_in_file, scan_arguments, scan_environment, scan_file
from secret_planting import Planted, Planter, command, pack_as_it_is, trace, trace_leaky


@dataclass(frozen=True)
class Leaky:
    """A bundle with secrets in it."""

    bundle: Path
    planted: tuple[Planted, ...]


@pytest.fixture(scope="module")
def leaky(tmp_path_factory: pytest.TempPathFactory) -> Leaky:
    """A bundle of a run with secrets of every rule, packed as they are."""
    home = tmp_path_factory.mktemp("leaky").resolve() / "home"
    planted = trace_leaky(home)
    return Leaky(pack_as_it_is(home), planted)


def test_many_kinds_are_planted(leaky: Leaky) -> None:
    """Secrets are planted in variables, arguments and files: no fewer than 60 of 20 kinds."""
    kinds = {planted.rule for planted in leaky.planted}
    assert len(kinds) >= 20
    assert kinds <= {rule.id for rule in RULES}
    assert len({planted.values for planted in leaky.planted}) >= 60


def test_every_planted_secret_is_found_and_none_is_told(leaky: Leaky) -> None:
    """`rtrace audit --json` exits with 1, tells rule and place of all that was planted, and no value."""
    done = command("audit", "--json", leaky.bundle, cwd=leaky.bundle.parent, env={})
    assert (done.returncode, done.stderr) == (1, "")
    found = {(finding["rule"], finding["place"]) for finding in json.loads(done.stdout)["found"]}
    assert {(planted.rule, planted.place) for planted in leaky.planted} - found == set()
    assert [value for planted in leaky.planted for value in planted.values if value in done.stdout] == []


def test_a_person_is_told_the_places_and_no_value(leaky: Leaky) -> None:
    """Without --json there is a line for each finding and one for the sum, and no value in them."""
    done = command("audit", leaky.bundle, cwd=leaky.bundle.parent, env={})
    assert (done.returncode, done.stderr) == (1, "")
    *lines, last = done.stdout.splitlines()
    assert last == f"{len(lines)} places in {leaky.bundle} look like a secret"
    assert [planted for planted in leaky.planted if not any(x.startswith(f"{planted.place}: ") for x in lines)] == []
    assert [value for planted in leaky.planted for value in planted.values if value in done.stdout] == []


EXPERIMENT = """\
import numpy

values = numpy.loadtxt("values.csv", delimiter=",")
token_count, password_length = values.shape
numpy.save("inverse.npy", numpy.linalg.inv(values))
print(token_count, password_length)
"""


def test_nothing_is_found_in_a_clean_experiment(tmp_path: Path) -> None:
    """Python, numpy, its data and its settings are no secrets: exit status 0 and no finding."""
    home = tmp_path / "home"
    home.mkdir()
    (home / "study.py").write_text(EXPERIMENT)
    (home / "values.csv").write_text("2,1\n1,3\n")
    trace(home, sys.executable, "study.py", env={"OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "0"})
    bundle = pack_as_it_is(home)
    with open_bundle(bundle) as opened:  # there is something to search, and it is the packages' files that are not
        assert {b"study.py", b"values.csv"} <= {
            os.path.basename(entry.path) for entry in opened.entries if entry.package is None
        }
        assert "numpy" in {package.name for package in opened.manifest.packages}
    done = command("audit", "--json", bundle, cwd=tmp_path, env={})
    assert (json.loads(done.stdout), done.returncode, done.stderr) == ({"found": []}, 0, "")


def test_what_a_package_brought_is_not_told(tmp_path: Path) -> None:
    """The same secret is told of a file that nobody owns, and not of one that pip installed for everybody alike."""
    home = tmp_path / "home"
    for name in ("site-packages/study-1.dist-info", "site-packages/study"):
        (home / name).mkdir(parents=True)
    (home / "site-packages/study-1.dist-info/RECORD").write_text("study/example.py,,\n")
    names = ("site-packages/study/example.py", "notes.py")
    for name in names:
        (home / name).write_text(Planter().make_up("gh~p_{36}")[0])
    trace(home, "cat", *names)
    found = audit_bundle(pack_as_it_is(home))
    assert [(finding.rule, finding.place) for finding in found] == [("github-token", f"{home}/notes.py: line 1")]


def test_a_bundle_whose_trace_cannot_be_searched_is_refused(tmp_path: Path) -> None:
    """A bundle without a trace is told in a sentence: it is not the same as one without secrets."""
    bundle = BundleMaker(tmp_path / "made").write(make_run())
    with pytest.raises(BundleError, match=r"cannot be searched \(it has no table environments\); pack it again"):
        audit_bundle(bundle)
    done = command("audit", bundle, cwd=tmp_path, env={})
    assert (done.returncode, done.stdout) == (125, "")
    assert done.stderr.startswith(f"rtrace: the trace in {bundle} cannot be searched")


@pytest.mark.parametrize(
    "variable",
    [
        b"SSH_AUTH_SOCK=/run/user/1000/keyring/ssh",
        b"TOKENIZERS_PARALLELISM=false",
        b"DB_PASSWORD=",
        b"DB_PASSWORD=${DB_PASSWORD}",
        b"USE_TOKEN=true",
        b"PWD=/home/reader",
        b"DATABASE_URL=postgresql://db.example/results",
        b"DATABASE_URL=postgresql://reader@db.example:5432/results",
        b"COMPASS=north-west",
    ],
)
def test_what_only_sounds_like_a_secret_is_none(variable: bytes) -> None:
    """Empty values, values yet to be filled in, switches, and names that merely resemble are not told."""
    name, _, value = variable.partition(b"=")
    assert list(scan_environment([(name, value)], "run1")) == []
    assert list(scan_arguments([b"env", variable], "run1")) == []


def test_an_option_and_its_value_may_be_two_arguments() -> None:
    """The argument that is told is the option's; an option that takes no value is none."""
    found = list(scan_arguments([b"study", b"--api-token", b"abc", b"--password", b"--verbose"], "run1"))
    assert [(finding.rule, finding.place) for finding in found] == [("secret-option", "run1: argument 1")]


def test_an_item_without_a_name_is_told_by_its_number() -> None:
    """What has no `=` may be the secret itself, so that its text is not told."""
    value = Planter().make_up("gh~p_{36}")[0].encode()
    found = list(scan_environment([(b"A", b"b"), (value, None)], "run1"))
    assert [(finding.rule, finding.place) for finding in found] == [("github-token", "run1: item 2 of the environment")]


def test_files_are_told_by_lines_where_they_have_lines() -> None:
    """In a text each line is told once; in a binary file there are no lines, and what is named must look random."""
    secret = Planter().make_up("gh~p_{36}")[0].encode()
    twice = secret + b" " + secret + b"\n"
    assert [found.place for found in scan_file(b"/a", [b"\n" + twice + twice])] == ["/a: line 2", "/a: line 3"]
    assert [found.place for found in scan_file(b"/a", [b"\0" + twice + twice])] == ["/a"]
    assert [found.rule for found in scan_file(b"/a", [b'password="hunter22"'])] == ["secret-literal"]
    assert list(scan_file(b"/a", [b'\0password="hunter22"'])) == []
    assert [found.place for found in scan_file(b"/home/x/.ssh/id_x", [b"\0"])] == ["/home/x/.ssh/id_x"]
    assert list(scan_file(b"/home/x/.ssh/id_x.pub", [b"ssh-ed25519 AAAA x"])) == []


@pytest.mark.parametrize("before", [0, 1000, 65000, 65500, 65536, 131000, 200000])
def test_a_secret_is_found_wherever_the_parts_of_a_file_meet(before: int) -> None:
    """A file comes in parts: a secret that lies in two of them is found as any other, once, on its line."""
    secret = Planter().make_up("gh~p_{36}")[0].encode()
    text = b"line\n" * (before // 5) + secret + b"\n" + b"x y\n" * 50000
    parts = [text[at : at + 65536] for at in range(0, len(text), 65536)]
    assert [found.place for found in scan_file(b"/a", parts)] == [f"/a: line {before // 5 + 1}"]
    begins = {(found.begin, found.end) for found in find_in_file(b"/a", parts)}
    assert begins == {(before // 5 * 5, before // 5 * 5 + len(secret))}
