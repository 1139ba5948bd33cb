"""`rtrace audit`: secrets in what ran and in what was packed are found, and their values stay unsaid."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from bundle_making import BundleMaker, make_run
from rtrace.errors import BundleError
from rtrace.opening import open_bundle
from rtrace.operations.audit import audit_bundle
from rtrace.privacy.rules.table import RULES
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
    assert (json.loads(done.stdout), done.returncode, done.stderr) == ({"format": 1, "found": []}, 0, "")


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
