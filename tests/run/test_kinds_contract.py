"""The checks that a stranger's comparator can be put to: rtrace's own keep every promise, and broken ones are found."""

import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from kind_pairs import TRIOS, run
from rtrace.plugins import load
from rtrace.verify.contract.checks import CHECKS, Samples, judge
from rtrace.verify.kinds.model import Judgement

PLUGINS = {
    "excel": "xlsx by openpyxl",
    "fits": "FITS by Astropy",
    "matlab": "mat by SciPy",
    "nifti": "NIfTI by NiBabel",
    "r": "rds by R",
    "stata": "dta by pandas",
    "rtrace.verify.kinds.data.hdf5:Hdf5": "HDF5 by h5py",
    "rtrace.verify.kinds.data.netcdf:NetCdf": "NetCDF 3",
    "rtrace.verify.kinds.data.numpy_files:Numpy": "npy by NumPy",
    "rtrace.verify.kinds.data.sqlite:Sqlite": "SQLite by its shell",
    "rtrace.verify.kinds.pictures:Picture": "PNG by matplotlib",
    "rtrace.verify.kinds.programs:Elf": "program by gcc",
}
pytestmark = pytest.mark.requires("Rscript")


@pytest.fixture(scope="module")
def samples(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Samples]:
    """Pairs of each kind."""
    found = {}
    for name, trio in PLUGINS.items():
        folder = tmp_path_factory.mktemp("kind")
        TRIOS[trio].make(folder)
        one, equal, other = (f"{folder / word}{TRIOS[trio].ending}" for word in ("one", "equal", "other"))
        found[name] = Samples(((one, equal),), ((one, other),))
    return found


@pytest.mark.parametrize("name", [name for name in PLUGINS if ":" in name])
def test_rtraces_own_keep_every_promise(name: str, samples: dict[str, Samples]) -> None:
    """Of those that are no entry points, too."""
    kind = load(name)()
    ends = {judged.check.name: (judged.ending, judged.why) for judged in judge(kind, samples[name])}
    assert {end for end, _ in ends.values()} <= {"ok", "skipped"}, ends


@pytest.mark.parametrize("name", [name for name in PLUGINS if ":" not in name])
def test_entry_points_keep_every_promise(name: str, samples: dict[str, Samples], tmp_path: Path) -> None:
    """By the command that anybody runs."""
    given = samples[name]
    told = run(
        *(sys.executable, "-m", "rtrace.verify.contract", name),
        *("--equal", *given.equal[0], "--different", *given.different[0]),
        folder=tmp_path,
    ).decode()
    assert "FAILED" not in told
    assert f"{name}: {len(CHECKS)} of {len(CHECKS)} ok" in told


BROKEN = {
    "own": "def recognise(self, head, name): return False",
    "foreign": "def recognise(self, head, name): return True",
    "equal": "def compare(self, expected, found, rule, names): return Judgement('different', 'x', (), 'a', '1', '2')",
    "different": "def compare(self, expected, found, rule, names): return Judgement('equal', 'x', ('all',))",
    "cut": "def compare(self, expected, found, rule, names): return Judgement('equal', 'x', ('all',))",
    "again": "def compare(self, *_): return Judgement('equal', 'x', (str(next(N)),))",
    "name": "name = ''",
    "leftovers": "def compare(self, *_):\n    tempfile.mkstemp()\n    return Judgement('equal', 'x', ('a',))",
}


@pytest.mark.parametrize("promise", BROKEN)
def test_a_broken_promise_is_found(promise: str, samples: dict[str, Samples]) -> None:
    """Of one that is as rtrace's own but for one thing."""
    import itertools

    from rtrace.verify.kinds.data.numpy_files import Numpy

    space: dict[str, object] = {"Judgement": Judgement, "N": itertools.count(), "tempfile": tempfile}
    exec(BROKEN[promise], space)  # noqa: S102 -- the test's own
    own = {name: value for name, value in space.items() if name in {"recognise", "compare", "name"}}
    kind = type("Broken", (Numpy,), own)()
    ends = {
        judged.check.name: judged.ending
        for judged in judge(kind, samples["rtrace.verify.kinds.data.numpy_files:Numpy"])
    }
    assert ends[promise] == "FAILED", ends


def test_what_is_no_comparator_is_told(tmp_path: Path) -> None:
    """In a sentence, with those that are there; the promises can be listed."""
    command = (sys.executable, "-m", "rtrace.verify.contract")
    done = subprocess.run([*command, "nothing"], cwd=tmp_path, capture_output=True, check=False)
    assert done.returncode == 2
    assert b"there is no comparator nothing" in done.stderr
    assert b"excel, fits" in done.stderr
    assert len(run(*command, "--list", folder=tmp_path).splitlines()) == len(CHECKS)
