"""A plan is a value: it can be compared, stored and carried out, and what carries it out leaves nothing in it."""

from __future__ import annotations

import os
import pickle
from contextlib import closing
from dataclasses import FrozenInstanceError, replace
from pathlib import Path

import pytest

from bundle_bytes import read_everything
from packing import pack
from rtrace.errors import BundleError, IncompleteError
from rtrace.manifest.incompleteness import find_missing
from rtrace.opening import open_bundle
from rtrace.operations.export import carry_out_for_reprozip
from rtrace.pack.forecast import forecast_notices
from rtrace.pack.packing import carry_out
from rtrace.pack.plan import PackingPlan
from rtrace.pack.planning import plan_packing
from rtrace.reprozip.reading.container import is_reprozip
from rtrace.trace.directory import TraceDirectory
from secret_planting import Planter
from trace_builder import TraceBuilder


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """The folder of an experiment, with a file that holds a secret, and one that names the value once more."""
    folder = tmp_path / "home"
    folder.mkdir()
    secret = Planter().make_up("gh~p_{36}")[0]
    (folder / "config").write_text(f"token = {secret}\n")
    (folder / "notes").write_text(f"see {secret} and \N{GREEK SMALL LETTER ALPHA}\n")
    (folder / "data").write_bytes(b"data\n")
    return folder


@pytest.fixture
def directory(home: Path) -> TraceDirectory:
    """The trace of a run that read these files."""
    builder = TraceBuilder(home)
    builder.begin()
    builder.read(home / "config", home / "notes", home / "data")
    return builder.finish()


def read_contents(bundle: Path) -> dict[bytes, bytes]:
    """Return the contents of a bundle by path."""
    with open_bundle(bundle) as opened:
        return {entry.path: b"".join(parts) for entry, parts in opened.stream_data()}


@pytest.mark.parametrize("anonymous", [False, True])
def test_two_plans_of_one_trace_are_equal(directory: TraceDirectory, tmp_path: Path, *, anonymous: bool) -> None:
    """What is planned depends on the trace and the files alone; another option gives another plan."""
    plans = [plan_packing(directory, tmp_path / "a.rpz", anonymous=anonymous) for _ in range(2)]
    assert plans[0] == plans[1]
    assert plans[0] != plan_packing(directory, tmp_path / "a.rpz", anonymous=anonymous, exclude=(b"**/data",))
    assert (plans[0].anonymity is not None) is anonymous


def test_a_plan_can_be_read(directory: TraceDirectory, home: Path, tmp_path: Path) -> None:
    """It says which files are masked and lists their secrets, never their values; nothing in it can be set."""
    plan = plan_packing(directory, tmp_path / "a.rpz")
    assert sorted(plan.masking.rules) == [bytes(home / "config"), bytes(home / "notes")]
    assert [secret.place for secret in plan.redaction.secrets] == [f"file {home}/config", f"file {home}/notes"]
    assert plan.redaction.secrets == plan.manifest.secrets
    assert f"{home}/config" in repr(plan)
    assert plan.redaction.values
    assert [value for value in plan.redaction.values if value.decode() in repr(plan)] == []
    with pytest.raises(FrozenInstanceError):
        plan.target = tmp_path  # type: ignore[misc] # that is what the test is about


@pytest.mark.parametrize("anonymous", [False, True])
def test_a_stored_plan_is_carried_out_like_the_first(
    directory: TraceDirectory, home: Path, tmp_path: Path, *, anonymous: bool
) -> None:
    """All that matters is in the value: a copy gives the same bytes, and carrying it out does not change it."""
    plan = plan_packing(directory, tmp_path / "a.rpz", anonymous=anonymous)
    stored = pickle.dumps(plan)
    first = carry_out(plan)
    assert plan == pickle.loads(stored)  # noqa: S301 -- our own
    copy: PackingPlan = pickle.loads(stored)  # noqa: S301
    second = carry_out(replace(copy, target=tmp_path / "b.rpz"))
    assert (tmp_path / "a.rpz").read_bytes() == (tmp_path / "b.rpz").read_bytes()
    assert first.identity == second.identity
    content = next(content for path, content in read_contents(first.target).items() if path.endswith(b"/config"))
    assert content == b"token = " + b"x" * 40 + b"\n"
    assert len(content) == (home / "config").stat().st_size


def test_a_bundle_is_replaced_when_that_is_asked_for(directory: TraceDirectory, home: Path, tmp_path: Path) -> None:
    """The name is that of the new bundle afterwards; without being asked, packing keeps off it."""
    target = tmp_path / "a.rpz"
    old = pack(directory, target)
    (home / "data").write_bytes(b"DATA\n")
    with pytest.raises(BundleError, match=r"a\.rpz exists already"):
        pack(directory, target)
    assert pack(directory, target, replace=True).identity != old.identity
    assert read_contents(target)[bytes(home / "data")] == b"DATA\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.rpz", "home"]


def test_a_bundle_stays_when_its_successor_fails(directory: TraceDirectory, home: Path, tmp_path: Path) -> None:
    """Nothing replaces it before the new one is complete."""
    target = tmp_path / "a.rpz"
    pack(directory, target)
    content = target.read_bytes()
    (home / "data").unlink()
    with pytest.raises(IncompleteError):
        pack(directory, target, replace=True)
    assert target.read_bytes() == content
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.rpz", "home"]


def test_only_bundles_are_replaced(directory: TraceDirectory, home: Path, tmp_path: Path) -> None:
    """A file of somebody's work, a folder and a FIFO stay, whatever was asked for."""
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "fifo")
    for path in (home / "data", tmp_path / "folder", tmp_path / "fifo"):
        with pytest.raises(BundleError, match="is not a bundle, and only bundles are replaced"):
            pack(directory, path, replace=True)
    assert (home / "data").read_bytes() == b"data\n"


def test_a_damaged_bundle_is_replaced(directory: TraceDirectory, tmp_path: Path) -> None:
    """Half of one is what somebody wants to replace."""
    target = tmp_path / "a.rpz"
    pack(directory, target)
    target.write_bytes(target.read_bytes()[:1000])
    pack(directory, target, replace=True)
    with open_bundle(target) as bundle:
        bundle.check()


def test_a_plan_that_is_only_shown_needs_no_free_name(directory: TraceDirectory, tmp_path: Path) -> None:
    """Planning with `replace` looks at the target no further."""
    target = tmp_path / "a.rpz"
    target.write_bytes(b"something else")
    assert plan_packing(directory, target, replace=True).entries
    assert target.read_bytes() == b"something else"


def test_what_would_be_missing_is_told_before(directory: TraceDirectory, home: Path, tmp_path: Path) -> None:
    """The forecast has the notices that packing then has, in another tense, and writes nothing."""
    assert forecast_notices(plan_packing(directory, tmp_path / "a.rpz")) == ()
    (home / "data").unlink()
    (home / "notes").write_text("now longer than it was, by some bytes that nobody has seen before\n")
    plan = plan_packing(directory, tmp_path / "a.rpz")
    before = forecast_notices(plan)
    assert [(notice.kind, notice.what) for notice in before] == [
        ("missing", f"{home}/data is no longer there: it would not be packed"),
        ("changed", f"{home}/notes changed after the trace: it would be packed as it is now"),
    ]
    assert [notice.what for notice in find_missing(before)] == [before[0].what]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["home"]
    report = carry_out(plan, allow_missing=True)
    told = [notice for notice in report.notices if notice.kind in {"missing", "changed"}]
    assert [(notice.kind, notice.advice) for notice in told] == [(notice.kind, notice.advice) for notice in before]


def test_an_edit_with_its_time_put_back_is_forecast(directory: TraceDirectory, home: Path, tmp_path: Path) -> None:
    """What was edited with its time put back is told as touched."""
    state = (home / "data").stat()
    with closing((home / "data").open("r+b")) as file:
        file.write(b"DATA\n")
    os.utime(home / "data", ns=(state.st_atime_ns, state.st_mtime_ns))
    (notice,) = forecast_notices(plan_packing(directory, tmp_path / "a.rpz"))
    assert (notice.kind, notice.what.startswith(f"{home}/data was touched after the trace")) == ("changed", True)


@pytest.mark.parametrize("name", ["a.rpz", "own.rpz", "other.rpz", "reprozip"])
def test_a_bundle_in_another_format_is_replaced_as_well(directory: TraceDirectory, tmp_path: Path, name: str) -> None:
    """By way of a bundle of our own, which nobody sees, whatever the name; without being asked, it is refused."""
    target = tmp_path / name
    pack(directory, target)
    with pytest.raises(BundleError, match="exists already"):
        carry_out_for_reprozip(replace(plan_packing(directory, tmp_path / "free.rpz"), target=target))
    report, exported = carry_out_for_reprozip(plan_packing(directory, target, replace=True))
    assert (report.target, exported.target) == (target, target)
    with target.open("rb") as file:
        assert is_reprozip(file)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([name, "home"])


def test_the_trace_in_the_bundle_loses_what_the_plan_redacts(home: Path, tmp_path: Path) -> None:
    """Neither an argument nor a value of a file that was found elsewhere stays in it, free pages included."""
    secret = Planter().make_up("gh~p_{36}")[0]
    (home / "key").write_text(f"token = {secret}\n")
    builder = TraceBuilder(home)
    builder.begin(argv=b"./run.sh\0--password=correct horse 17\0" + secret.encode() + b"\0")
    builder.read(home / "key")
    directory = builder.finish()
    assert b"correct horse 17" in directory.database.read_bytes()
    plan = plan_packing(directory, tmp_path / "a.rpz")
    assert (plan.redaction.in_trace, secret.encode() in plan.redaction.values) == (True, True)
    carry_out(plan)
    everything = b"".join(content for _, content in read_everything(tmp_path / "a.rpz"))
    assert [value for value in (b"correct horse 17", secret.encode()) if value in everything] == []


def test_what_one_file_gives_away_is_masked_in_all(home: Path, tmp_path: Path) -> None:
    """A password is recognised by the name before it; where it occurs without, in an earlier file, it is known then."""
    (home / "zz.ini").write_text("[db]\npassword = c0rrect-H0rse-batt3ry\n")
    (home / "a.txt").write_text("I typed c0rrect-H0rse-batt3ry\n")
    builder = TraceBuilder(home)
    builder.begin()
    builder.read(home / "zz.ini", home / "a.txt")
    target = tmp_path / "a.rpz"
    carry_out(plan_packing(builder.finish(), target))
    contents = read_contents(target)
    assert contents[bytes(home / "a.txt")] == b"I typed " + b"x" * 21 + b"\n"
    assert contents[bytes(home / "zz.ini")] == b"[db]\npassword = " + b"x" * 21 + b"\n"
