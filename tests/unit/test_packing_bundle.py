"""From a trace to a bundle: the world before the run, nothing hidden, and the same bytes each time."""

import os
import socket
from pathlib import Path

import pytest

from packing import pack
from rtrace.bundle.entry import Entry, FileType
from rtrace.describe.draft import draft_manifest
from rtrace.errors import BundleError, TraceError
from rtrace.manifest.model import Notice
from rtrace.manifest.reading.load import load
from rtrace.manifest.render import render
from rtrace.opening import open_bundle
from rtrace.pack.packing import PackReport
from rtrace.pack.planning import plan_packing
from rtrace.trace.directory import TraceDirectory
from rtrace.trace.reading.reader import open_for_reading
from rtrace.trace.schema import Use
from trace_builder import TraceBuilder


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """The folder of an experiment."""
    folder = tmp_path / "home"
    folder.mkdir()
    return folder


@pytest.fixture
def trace(home: Path) -> TraceBuilder:
    """A trace with one run begun."""
    builder = TraceBuilder(home)
    builder.begin()
    return builder


def packed(trace: TraceBuilder, *edits: tuple[str, str]) -> tuple[dict[bytes, Entry], dict[bytes, bytes], PackReport]:
    """Pack a trace, its manifest edited; give entries by path, contents by path, and the report."""
    directory = trace.finish()
    return pack_directory(directory, *edits)


def pack_directory(
    directory: TraceDirectory, *edits: tuple[str, str]
) -> tuple[dict[bytes, Entry], dict[bytes, bytes], PackReport]:
    """Pack a trace directory."""
    connection = open_for_reading(directory)
    text = render(draft_manifest(connection, directory))
    connection.close()
    for old, new in edits:
        assert old in text
        text = text.replace(old, new)
    directory.manifest.write_text(text)
    target = directory.path.parent.parent / "bundle.rpz"
    report = pack(directory, target, allow_missing=True)
    with open_bundle(target) as bundle:
        bundle.check()
        entries = {entry.path: entry for entry in bundle.entries}
        contents = {entry.path: b"".join(parts) for entry, parts in bundle.stream_data()}
        assert bundle.identity == report.identity
        assert set(report.notices) <= set(bundle.manifest.notices)
    return entries, contents, report


def test_files_are_packed_as_they_were_before_the_run(trace: TraceBuilder, home: Path) -> None:
    """What the run overwrites, appends to and reads is packed from the copies, with the times of before.

    Of what it removes unread the time is there, and no content.
    """
    files = {name: home / name for name in ("read", "changed", "removed", "made")}
    for name in ("read", "changed", "removed"):
        files[name].write_bytes(name.encode() + b" before\n")
        os.utime(files[name], ns=(1, 981_173_106_000_000_007))
    trace.read(files["read"], files["changed"])
    trace.write(files["changed"], b"after")
    trace.write(files["removed"], None)
    trace.write(files["made"], b"new")
    entries, contents, report = packed(trace)
    for name in ("read", "changed"):
        assert contents[bytes(files[name])] == name.encode() + b" before\n"
    assert contents[bytes(files["removed"])] == b""
    for name in ("read", "changed", "removed"):
        assert entries[bytes(files[name])].mtime_ns == 981_173_106_000_000_007
    assert bytes(files["made"]) not in entries
    assert report.notices == ()
    reasons = [entries[bytes(files[name])].reason for name in ("read", "changed", "removed")]
    assert reasons == ["read", "read", "removed"]


def test_the_first_run_tells_how_the_world_was(trace: TraceBuilder, home: Path) -> None:
    """With several runs: what an earlier one made is not packed; what a later one changed is packed from its copy."""
    data, made, late = home / "data", home / "made", home / "late"
    data.write_text("before")
    late.write_text("late")
    trace.read(data)
    trace.write(made, b"by run 1")
    trace.result(made)
    trace.begin()
    trace.read(made, data, late)
    trace.write(data, b"by run 2")
    trace.write(made, b"by run 2")
    for path in (data, made):
        trace.result(path)
    entries, contents, report = packed(trace)
    assert contents[bytes(data)] == b"before"
    assert contents[bytes(late)] == b"late"
    assert bytes(made) not in entries
    assert report.notices == ()


def test_listed_files_are_placeholders(trace: TraceBuilder, home: Path) -> None:
    """What was seen in a list only has name, size and time; its content is not needed, not even to be there."""
    listed, folder = home / "listed", home / "folder"
    listed.write_bytes(b"x" * 1000)
    folder.mkdir()
    trace.touch(home, Use.LIST)
    trace.touch(listed)
    trace.touch(folder)
    trace.touch(home / ".rtrace")
    listed.unlink()
    entries, contents, report = packed(trace)
    assert entries[bytes(listed)].placeholder
    assert entries[bytes(listed)].size == 1000
    assert contents[bytes(listed)] == b""
    assert entries[bytes(folder)].type is FileType.DIRECTORY
    assert entries[bytes(home / ".rtrace")].type is FileType.DIRECTORY
    assert report.notices == ()


def test_the_trace_itself_is_not_packed(trace: TraceBuilder, home: Path) -> None:
    """Of the trace directory no more than an empty folder goes into the bundle, even if the run looked into it."""
    trace.touch(home / ".rtrace", Use.LIST)
    trace.read(home / ".rtrace/trace.sqlite3")
    entries, _, _ = packed(trace)
    assert [path for path in entries if b".rtrace" in path] == [bytes(home / ".rtrace")]


def test_what_the_replay_provides_is_left_out(trace: TraceBuilder) -> None:
    """Nothing below /proc, /sys and /dev is packed."""
    for path in (b"/proc/self/status", b"/sys/kernel", b"/dev/null", b"/dev"):
        trace.touch(path, Use.READ)
    entries, _, report = packed(trace)
    assert [path for path in entries if path.startswith((b"/proc", b"/sys", b"/dev"))] == [b"/dev"]
    assert report.notices == ()


def test_symlinks_fifos_and_folders_are_packed_as_they_are(trace: TraceBuilder, home: Path) -> None:
    """Links keep their target, dangling or not; every folder on the way is there with its own mode."""
    link, fifo, deep = home / "link", home / "fifo", home / "a/b/c"
    link.symlink_to("/nowhere/at all")
    os.mkfifo(fifo, 0o600)
    deep.mkdir(parents=True)
    (home / "a").chmod(0o2750)
    (deep / "file").write_text("x")
    for path in (link, fifo):
        trace.touch(path, Use.LOOKUP)
    trace.read(deep / "file")
    entries, contents, _ = packed(trace)
    assert entries[bytes(link)].target == b"/nowhere/at all"
    assert entries[bytes(fifo)].type is FileType.FIFO
    assert entries[bytes(home / "a")].mode == 0o2750
    assert contents[bytes(deep / "file")] == b"x"
    parents = {path.rpartition(b"/")[0] or b"/" for path in entries}
    assert parents <= set(entries)


def test_sockets_are_named(trace: TraceBuilder, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A socket that the run used is named in a notice; one that it saw in a list is not worth a word."""
    monkeypatch.chdir(home)
    for name in ("used", "seen"):
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(name)
    trace.touch(home / "used", Use.SOCKET)
    trace.touch(home / "seen")
    entries, _, report = packed(trace)
    assert [notice.what for notice in report.notices] == [f"{home}/used is a socket"]
    assert bytes(home / "used") not in entries


def test_hard_links_are_kept(trace: TraceBuilder, home: Path) -> None:
    """Names of one file stay names of one file, also one that was only listed, and content is stored once."""
    first, second, third, alone = (home / name for name in ("1", "2", "3", "alone"))
    first.write_text("content")
    second.hardlink_to(first)
    third.hardlink_to(first)
    alone.write_text("content")
    trace.read(second, third, alone)
    trace.touch(first)
    entries, contents, _ = packed(trace)
    assert contents[bytes(first)] == b"content"
    assert not entries[bytes(first)].placeholder
    assert entries[bytes(second)].link == entries[bytes(third)].link == bytes(first)
    assert entries[bytes(second)].sha256 == entries[bytes(first)].sha256
    assert entries[bytes(alone)].link is None


def test_hard_links_to_a_file_that_was_changed(trace: TraceBuilder, home: Path) -> None:
    """Changed through one name, a file is packed under all its names as it was before."""
    first, second = home / "1", home / "2"
    first.write_text("before")
    second.hardlink_to(first)
    trace.write(second, b"after!")
    trace.read(first)
    entries, contents, report = packed(trace)
    assert contents[bytes(first)] == b"before"
    assert entries[bytes(second)].link == bytes(first)
    assert report.notices == ()


def test_hard_link_whose_holder_is_gone(trace: TraceBuilder, home: Path) -> None:
    """When the first name vanished, the next one holds the content and the others follow it."""
    names = [home / name for name in ("1", "2", "3")]
    names[0].write_text("content")
    names[1].hardlink_to(names[0])
    names[2].hardlink_to(names[0])
    trace.read(*names)
    names[0].unlink()
    entries, contents, report = packed(trace)
    assert bytes(names[0]) not in entries
    assert contents[bytes(names[1])] == b"content"
    assert entries[bytes(names[2])].link == bytes(names[1])
    assert [notice.what for notice in report.notices] == [f"{names[0]} is no longer there: it was not packed"]


def test_changes_after_the_trace_are_named(trace: TraceBuilder, home: Path) -> None:
    """Files that vanished, changed or cannot be read any more are named, and the rest is packed."""
    gone, other, folder, fine = (home / name for name in ("gone", "other", "folder", "fine"))
    for path in (gone, other, folder, fine):
        path.write_text("before")
    trace.read(gone, other, folder, fine)
    gone.unlink()
    other.write_text("afterwards")
    folder.unlink()
    folder.mkdir()
    entries, contents, report = packed(trace)
    assert [(notice.kind, notice.what) for notice in report.notices] == [
        ("missing", f"{folder} is no longer there: it was not packed"),
        ("missing", f"{gone} is no longer there: it was not packed"),
        ("changed", f"{other} changed after the trace: it was packed as it is now"),
    ]
    assert bytes(gone) not in entries
    assert contents[bytes(other)] == b"afterwards"
    assert entries[bytes(other)].size == 10
    assert contents[bytes(fine)] == b"before"


def test_large_files_that_change_are_named(trace: TraceBuilder, home: Path) -> None:
    """The same for files that are streamed: shorter, longer, or of the same size with another time."""
    names = [home / name for name in ("longer", "same", "shorter")]
    for path in names:
        path.write_bytes(b"x" * 5_000_000)
    trace.read(*names)
    names[0].write_bytes(b"y" * 5_000_001)
    os.utime(names[1], ns=(1, 1))
    names[2].write_bytes(b"y" * 4_999_999)
    entries, contents, report = packed(trace)
    assert [notice.kind for notice in report.notices] == ["changed"] * 3
    assert [entries[bytes(path)].size for path in names] == [5_000_001, 5_000_000, 4_999_999]
    assert len(contents[bytes(names[0])]) == 5_000_001


def test_a_file_that_may_not_be_read_is_named(trace: TraceBuilder, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What packing may not read goes in by name and size, and is told."""
    secret = home / "secret"
    secret.write_text("secret")
    trace.read(secret)
    real_open = os.open

    def refuse(path: bytes, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        if path == bytes(secret):
            raise PermissionError(13, "Permission denied", path)
        return real_open(path, flags, mode, dir_fd=dir_fd)

    monkeypatch.setattr(os, "open", refuse)
    entries, _, report = packed(trace)
    assert [notice.what for notice in report.notices] == [
        f"{secret} cannot be read: only its name and size were packed"
    ]
    assert entries[bytes(secret)].placeholder


def test_a_copy_that_could_not_be_made_is_told(trace: TraceBuilder, home: Path) -> None:
    """A file that the run changed without a copy having been possible is packed as it is, with the reason."""
    path = home / "file"
    path.write_text("before")
    trace.read(path)
    trace.write(path, b"after the run", problem="No space left on device")
    _, contents, report = packed(trace)
    assert contents[bytes(path)] == b"after the run"
    (notice,) = report.notices
    assert notice.what == (
        f"the run changed {path}, and no copy of it could be made before that (No space left on device): "
        "it was packed as it is now"
    )


def test_a_copy_that_is_gone_is_told(trace: TraceBuilder, home: Path) -> None:
    """When the trace directory has lost a copy, the file it belongs to is named."""
    path = home / "file"
    path.write_text("before")
    trace.read(path)
    trace.write(path, b"after")
    for copy in trace.directory.snapshots.iterdir():
        copy.unlink()
    _, _, report = packed(trace)
    assert report.notices[0].what == (
        f"the copy of {path} in {trace.directory.snapshots} is not what it was: it was not packed"
    )


def test_folder_that_took_the_place_of_a_symlink(trace: TraceBuilder, home: Path) -> None:
    """When run 2 found a folder where run 1 had found a symlink, the bundle keeps to run 1 and says so."""
    link = home / "link"
    link.symlink_to("elsewhere")
    trace.touch(link, Use.LOOKUP)
    link.unlink()
    link.mkdir()
    (link / "file").write_text("x")
    trace.begin()
    trace.read(link / "file")
    entries, _, report = packed(trace)
    assert entries[bytes(link)].type is FileType.SYMLINK
    assert bytes(link / "file") not in entries
    assert "has no place in the bundle: before the experiment" in report.notices[0].what


def test_results_are_those_of_the_runs(trace: TraceBuilder, home: Path) -> None:
    """Each run has its results; a digest that tracing had no time for is found from the file or a later run's copy."""
    kept, overwritten, lost, gone = (home / name for name in ("kept", "overwritten", "lost", "gone"))
    gone.write_text("x")
    for path in (kept, overwritten, lost):
        trace.write(path, b"by run 1")
    trace.write(gone, None)
    for path in (kept, overwritten, lost, gone):
        trace.result(path, digest=False)
    trace.begin()
    trace.write(overwritten, b"by run 2")
    trace.result(overwritten)
    lost.write_text("by nobody")
    packed(trace)
    with open_bundle(home.parent / "bundle.rpz") as bundle:
        found = {(result.run, result.path.rpartition(b"/")[2]): result for result in bundle.results}
    digest = "a1a9c7a6c3d6c5e8"
    assert found["run1", b"kept"].sha256 == found["run1", b"overwritten"].sha256 != digest
    assert found["run1", b"kept"].sha256 is not None
    assert found["run2", b"overwritten"].sha256 not in {None, found["run1", b"kept"].sha256}
    assert found["run1", b"lost"].sha256 is None
    assert found["run1", b"gone"].type is None


def test_patterns_leave_out_and_add(trace: TraceBuilder, home: Path) -> None:
    """Excluded files and folders stay out, included ones come in as they are, with the symlinks on the way."""
    for name in ("cache/a", "cache/b", "data/in.csv", "data/more/x.csv", "data/more/x.tmp", "listed"):
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text(name)
    (home / "short").symlink_to("data/more")
    trace.read(home / "cache/a", home / "data/in.csv")
    trace.touch(home / "listed")
    entries, contents, report = packed(
        trace,
        ("exclude: []", f'exclude: [{home}/cache, "*.tmp"]'),
        ("include: []", f'include: ["{home}/short/**", "{home}/listed", "{home}/none*"]'),
    )
    names = [path.rpartition(bytes(home) + b"/")[2] for path in entries if path.startswith(bytes(home) + b"/")]
    assert names == [b"data", b"data/in.csv", b"data/more", b"data/more/x.csv", b"listed", b"short"]
    assert contents[bytes(home / "listed")] == b"listed"
    assert entries[bytes(home / "data/more/x.csv")].reason == "pattern"
    assert [notice.what for notice in report.notices] == [f"the pattern {home}/none* matches nothing"]


def test_packages_are_named_and_can_be_left_out(trace: TraceBuilder, home: Path) -> None:
    """A file says whose it is; with `pack: false` the files of a package stay out, what else was seen stays in.

    These packages are those of another root, as a chroot that a run entered has its own.
    """
    database = home.parent / "var/lib/dpkg/info"
    database.mkdir(parents=True)
    for name in ("mine", "other"):
        (home / name).write_text(name)
        (database / f"{name}.list").write_text(f"/.\n/home/{name}\n")
    (database.parent / "status").write_text(
        "".join(f"Package: {name}\nArchitecture: all\nVersion: 1\n\n" for name in ("mine", "other"))
    )
    trace.read(home / "mine", home / "other")
    where = f"in {home.parent}"
    line = f'name: "other {where}", version: "1", files: 1, size: 5, pack: '
    entries, _, _ = packed(trace, (line + "true", line + "false"))
    assert entries[bytes(home / "mine")].package == f"mine {where}"
    assert bytes(home / "other") not in entries
    assert bytes(home) in entries


def test_same_trace_gives_same_bytes(trace: TraceBuilder, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Packing twice, with another umask, time zone and number of cores, gives the same file and changes no trace."""
    (home / "data").write_bytes(os.urandom(9_000_000))
    trace.read(home / "data")
    directory = trace.finish()
    before = directory.database.read_bytes()
    first, second = home.parent / "1.rpz", home.parent / "2.rpz"
    pack(directory, first)
    monkeypatch.setenv("TZ", "Asia/Kathmandu")
    monkeypatch.setattr("rtrace.bundle.data.archive.cores", lambda: 5)
    umask = os.umask(0o077)
    try:
        pack(directory, second)
    finally:
        os.umask(umask)
    assert first.read_bytes() == second.read_bytes()
    assert directory.database.read_bytes() == before


def test_a_killed_trace_packs(home: Path) -> None:
    """A trace whose tracer was killed has its last rows in a log, no manifest and no end: it packs, and says so."""
    trace = TraceBuilder(home)
    trace.begin(finished=False)
    (home / "data").write_text("x")
    trace.read(home / "data")
    directory = trace.die()
    assert (directory.path / "trace.sqlite3-wal").stat().st_size
    report = pack(directory, home.parent / "bundle.rpz")
    with open_bundle(home.parent / "bundle.rpz") as bundle:
        assert bundle.find(bytes(home / "data")) is not None
        assert [notice.kind for notice in bundle.manifest.notices] == ["unfinished"]
        assert bundle.manifest.runs[0].exit_status is None
        bundle.extract_trace(home.parent / "copy.sqlite3")
    assert report.counts.files == 1


def test_paths_of_any_bytes(trace: TraceBuilder, home: Path) -> None:
    """Names that are not UTF-8, with newlines, quotes, colons and spaces are packed, named as inputs and read back."""
    names = [b"\xff\xfe", b"new\nline", b"\"quote'", b"co:lon", b" sp ace ", b"\xe2\x80\xae", b"-dash", b"\\x"]
    paths = [bytes(home) + b"/" + name for name in names]
    for path in paths:
        with open(path, "wb") as file:
            file.write(path)
        trace.touch(path, Use.READ)
    _, contents, _ = packed(trace)
    assert [contents[path] for path in paths] == paths
    with open_bundle(home.parent / "bundle.rpz") as bundle:
        assert {file.path for file in bundle.manifest.inputs} == set(paths)
        assert all(":" not in file.name and file.name.isprintable() for file in bundle.manifest.inputs)
        assert bundle.manifest.runs[0].environ == ((b"PATH", b"/usr/bin"), (b"ODD", b"\xff"))


def test_sparse_file_is_expanded(trace: TraceBuilder, home: Path) -> None:
    """A file with holes is packed with zeros in their place."""
    path = home / "sparse"
    with path.open("wb") as file:
        file.truncate(9_000_000)
        file.seek(5_000_000)
        file.write(b"x")
    trace.read(path)
    _, contents, _ = packed(trace)
    assert contents[bytes(path)] == bytes(5_000_000) + b"x" + bytes(3_999_999)


def test_nothing_is_overwritten_and_nothing_left(trace: TraceBuilder, home: Path) -> None:
    """A bundle that exists already is refused before anything is done; where none can be written, nothing remains."""
    directory = trace.finish()
    target = home.parent / "bundle.rpz"
    target.write_text("mine")
    with pytest.raises(BundleError, match="exists already"):
        plan_packing(directory, target)
    assert target.read_text() == "mine"
    with pytest.raises(BundleError, match=r"cannot write in .*No such file or directory"):
        pack(directory, home.parent / "no/bundle.rpz")
    assert sorted(path.name for path in home.parent.iterdir()) == ["bundle.rpz", "home"]


def test_full_disk_leaves_nothing(trace: TraceBuilder, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the disk is full, one sentence says so and there is no part of a bundle."""
    directory = trace.finish()

    def fail(*_: object) -> str:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("rtrace.bundle.writing.bundle_writer.ArchiveWriter.finish", fail)
    with pytest.raises(BundleError, match=r"cannot write .*bundle.rpz: No space left on device"):
        pack(directory, home.parent / "bundle.rpz")
    assert [path.name for path in home.parent.iterdir()] == ["home"]


@pytest.mark.parametrize(
    "content, sentence",
    [
        (None, "is not a trace directory"),
        (b"no database", "is not a trace that can be read"),
        (b"", "is not a trace that can be read"),
    ],
)
def test_what_is_no_trace(content: bytes | None, sentence: str, tmp_path: Path) -> None:
    """A trace directory that is none is told in a sentence."""
    with pytest.raises(TraceError, match="does not exist"):
        plan_packing(TraceDirectory(tmp_path / "no"), tmp_path / "x.rpz")
    if content is not None:
        (tmp_path / "trace.sqlite3").write_bytes(content)
    with pytest.raises(TraceError, match=sentence):
        plan_packing(TraceDirectory(tmp_path), tmp_path / "x.rpz")


def test_notices_of_the_trace_are_in_the_manifest(trace: TraceBuilder) -> None:
    """What tracing could not capture is said in the manifest, once."""
    trace.notice("connection", "curl connected to 192.0.2.1", "save the file first")
    trace.notice("connection", "curl connected to 192.0.2.1", "save the file first")
    directory = trace.finish()
    pack_directory(directory)
    notices = load(directory.manifest).notices
    assert notices == (Notice("connection", "curl connected to 192.0.2.1", "save the file first"),)
