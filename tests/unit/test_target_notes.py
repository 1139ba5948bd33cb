"""What is noted of targets: what was uploaded into one, which ones there are; and pieces that work with names."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from rtrace.errors import TargetError
from rtrace.files.renaming import exchange
from rtrace.operations.exchange.contents import open_content, read_parts_of
from rtrace.operations.exchange.fetching import spread
from rtrace.operations.exchange.names import iterate_splits
from rtrace.operations.exchange.notes import noting
from rtrace.operations.exchange.programs import read_header, refuse_unfit
from rtrace.operations.exchange.states import match_exactly
from rtrace.replay.protocol import STATE_FILE
from rtrace.replay.register import (
    find_register,
    forget,
    is_being_made,
    locate,
    note_made,
    read_register,
    registering,
)
from rtrace.replay.target_folder import TargetFolder
from rtrace.replay.uploads import NO_UPLOADS, UPLOADS_FILE, Kept, Upload, Uploads, read_uploads, write_uploads
from rtrace_unpackers.files.reaching import open_readable, reached, resolve_in, split_names

DIGEST = "0" * 64
ODD = b'/work/caf\xe9 \n":'


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[TargetFolder]:
    """The folder of a target."""
    (tmp_path / "target").mkdir(mode=0o700)
    (tmp_path / "target" / STATE_FILE).write_text("{}")
    opened = TargetFolder(tmp_path / "target")
    yield opened
    opened.close()


def test_notes_come_back_as_they_were_written(folder: TargetFolder) -> None:
    """Names of any bytes, uploads, those on their way, and what is kept survive; without any there is no file."""
    upload, kept = Upload("data", 7, DIGEST, "/a\nb", 1.5), Kept(ODD, "0", 0o4755, 1, 2, -5)
    uploads = NO_UPLOADS.announce(ODD, upload).arrive(ODD).announce(b"/x", upload).keep(kept)
    write_uploads(folder, uploads)
    assert read_uploads(folder) == uploads == Uploads({ODD: upload}, {b"/x": upload}, {ODD: kept})
    assert uploads.is_unfinished
    done = uploads.lose(b"/x").give_back(ODD)
    assert not done.is_unfinished
    write_uploads(folder, done.forget(ODD))
    assert not (folder.path / UPLOADS_FILE).exists()
    assert read_uploads(folder) == NO_UPLOADS


@pytest.mark.parametrize(
    "key, value",
    [("size", -1), ("size", "7"), ("sha256", "0" * 63), ("at", -1.0), ("at", 1e300), ("name", None), ("from", 5)],
)
def test_notes_with_a_strange_value_are_refused(key: str, value: object, folder: TargetFolder) -> None:
    """Each value of an upload is checked, and one sentence names the file."""
    write_uploads(folder, Uploads({b"/x": Upload("data", 7, DIGEST, "/a", 1.5)}))
    content = json.loads((folder.path / UPLOADS_FILE).read_text())
    content["files"]["/x"][key] = value
    (folder.path / UPLOADS_FILE).write_text(json.dumps(content))
    with pytest.raises(TargetError, match=r"rtrace-uploads.json cannot be read; remove it"):
        read_uploads(folder)


KEPT = (
    b'{"format": 1, "files": {}, "coming": {}, "kept": {"%b": '
    b'{"file": "%b", "mode": 420, "uid": %d, "gid": 0, "mtime_ns": 0}}}'
)


@pytest.mark.parametrize(
    "content",
    [
        b"{",
        b"{}",
        b'{"format": 1, "files": {"work/x": {}}, "coming": {}, "kept": {}}',
        KEPT % (b"/work/../etc", b"0", 0),
        KEPT % (b"/etc/x", b"../../x", 0),
        KEPT % (b"/etc/x", b"0", -1),
    ],
)
def test_notes_that_lead_elsewhere_are_refused(content: bytes, folder: TargetFolder) -> None:
    """A path that climbs, a kept file outside, an id of nobody: nothing of it is believed."""
    (folder.path / UPLOADS_FILE).write_bytes(content)
    with pytest.raises(TargetError, match=r"rtrace-uploads.json cannot be read; remove it"):
        read_uploads(folder)


def test_notes_of_somebody_else_or_of_a_newer_rtrace_are_refused(folder: TargetFolder) -> None:
    """A symlink in the place of the notes is not followed; a newer format is named."""
    (folder.path / UPLOADS_FILE).write_text('{"format": 2}')
    with pytest.raises(TargetError, match="newer rtrace"):
        read_uploads(folder)
    (folder.path / "other").write_text('{"format": 1, "files": {}, "coming": {}, "kept": {}}')
    (folder.path / UPLOADS_FILE).unlink()
    (folder.path / UPLOADS_FILE).symlink_to("other")
    with pytest.raises(TargetError):
        read_uploads(folder)


def test_kept_files_that_no_note_names_are_removed(folder: TargetFolder) -> None:
    """What a killed process kept before it noted that is gone when the notes are opened."""
    with noting(folder.path) as notes, notes.open_kept(notes.choose_name(), new=True) as file:
        file.write(b"x")
        assert notes.choose_name() == "1"
    assert (folder.path / "rtrace-kept" / "0").exists()
    with noting(folder.path):
        assert os.listdir(folder.path / "rtrace-kept") == ["rtrace.lock"]


def test_register_knows_what_is_made_and_what_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A target is being made while its maker lives, noted when it is whole, and forgotten when that failed."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    assert read_register() == ((), ())
    with registering(tmp_path / "one", "chroot", Path("b.rpz")):
        ((entry,), _) = read_register()
        assert (entry.path, entry.identity, is_being_made(entry)) == (locate(tmp_path / "one"), None, True)
    assert not is_being_made(entry)
    note_made(tmp_path / "one", "chroot", Path("b.rpz"), DIGEST)
    ((entry,), _) = read_register()
    assert (entry.unpacker, entry.bundle, entry.identity) == ("chroot", "b.rpz", DIGEST)
    with pytest.raises(ZeroDivisionError), registering(tmp_path / "two", "chroot", Path("b.rpz")):
        raise ZeroDivisionError
    assert read_register() == ((entry,), ())
    (find_register() / entry.file).write_text("[" * 100_000)
    assert read_register() == ((), (entry.file,))
    forget(tmp_path / "one")
    assert read_register() == ((), ())


def test_names_are_split_at_each_colon_from_the_end() -> None:
    """The last colon comes first."""
    assert list(iterate_splits("a:b:c")) == [("a:b", "c"), ("a", "b:c")]
    assert list(iterate_splits("none")) == []


def test_pattern_matches_files_and_not_what_is_below_folders() -> None:
    """A file in a folder that fits is none that fits, unless the pattern says so."""
    paths = [b"/w/plot-1.png", b"/w/plot-2.png/x", b"/w/other"]
    assert match_exactly(b"/w/plot-*", paths) == [b"/w/plot-1.png"]
    assert match_exactly(b"/w/**", paths) == paths


def test_files_of_the_same_name_are_told_apart_in_one_folder() -> None:
    """Names are as short as they can be."""
    assert [str(name) for _, name in spread([b"/a/x", b"/b/y"])] == ["x", "y"]
    assert [str(name) for _, name in spread([b"/w/a/x", b"/w/b/x"])] == ["a/x", "b/x"]


def test_parts_are_read_in_any_pieces() -> None:
    """A file of parts gives the bytes of all of them, whoever reads how much at a time."""
    file = read_parts_of(iter([b"", b"abc", b"", b"defg"]))
    assert [file.read(2), file.read(4), file.read(9), file.read(1)] == [b"ab", b"cdef", b"g", b""]


def test_content_of_a_pipe_is_read_whole(tmp_path: Path) -> None:
    """What is no regular file is one when it is put somewhere, with its size and digest."""
    os.mkfifo(tmp_path / "pipe")
    child = os.fork()
    if child == 0:
        try:
            (tmp_path / "pipe").write_bytes(b"through")
        finally:
            os._exit(0)
    with open_content(tmp_path / "pipe") as content:
        assert (content.size, content.file.read()) == (7, b"through")
        assert stat.S_ISREG(os.fstat(content.file.fileno()).st_mode)
    os.waitpid(child, 0)


def test_shell_must_be_static_and_of_the_architecture(tmp_path: Path) -> None:
    """A program is looked at before a target gets it for its shell."""
    header = bytearray(64)
    header[:6] = b"\x7fELF\x02\x01"
    header[18:20] = (62).to_bytes(2, "little")
    header[32:40] = (64).to_bytes(8, "little")
    header[54:58] = (56).to_bytes(2, "little") + (1).to_bytes(2, "little")
    program = tmp_path / "busybox"
    for kind, is_static in ((1, True), (3, False)):
        program.write_bytes(bytes(header) + kind.to_bytes(4, "little") + bytes(52))
        assert read_header(program) == ((2, 62), is_static)
    with pytest.raises(TargetError, match="needs libraries that the target may not have; install the package"):
        refuse_unfit(program, "x86_64")
    program.write_bytes(bytes(header) + (1).to_bytes(4, "little") + bytes(52))
    refuse_unfit(program, "x86_64")
    with pytest.raises(TargetError, match="is not for aarch64"):
        refuse_unfit(program, "aarch64")
    program.write_text("#!/bin/sh\n")
    with pytest.raises(TargetError, match="is no program"):
        refuse_unfit(program, "x86_64")
    with pytest.raises(TargetError, match="cannot read"):
        refuse_unfit(tmp_path / "nothing", "x86_64")


def test_tree_is_reached_through_no_symlink_and_left_as_it_was(tmp_path: Path) -> None:
    """A closed folder is open for the moment alone; a name that climbs, or a symlink, leads nowhere."""
    (tmp_path / "root" / "closed").mkdir(parents=True)
    (tmp_path / "root" / "closed" / "file").write_text("inside")
    (tmp_path / "root" / "link").symlink_to("/closed/../closed")
    (tmp_path / "root" / "out").symlink_to("../../outside")
    (tmp_path / "outside").write_text("outside")
    (tmp_path / "root" / "closed").chmod(0)
    start = os.open(tmp_path, os.O_RDONLY)
    try:
        assert resolve_in(start, (b"root",), b"/link/file") == b"/closed/file"
        assert resolve_in(start, (b"root",), b"/out") == b"/outside"
        with reached(start, (b"root", b"closed")) as inside:
            file = open_readable(b"file", inside)
            assert os.read(file, 10) == b"inside"
            os.close(file)
        with pytest.raises(OSError, match=r"."), reached(start, (b"root", b"link")):
            pass
        with pytest.raises(OSError, match="Invalid"):
            split_names(b"/a/../b")
    finally:
        os.close(start)
    assert stat.S_IMODE((tmp_path / "root" / "closed").stat().st_mode) == 0


def test_two_names_are_exchanged_in_one_step(tmp_path: Path) -> None:
    """Each has what the other had; where one is missing nothing happens."""
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    (tmp_path / "a" / "x").touch()
    parent = os.open(tmp_path, os.O_RDONLY)
    try:
        assert exchange(parent, "a", "b")
        assert os.listdir(tmp_path / "b") == ["x"]
        with pytest.raises(FileNotFoundError):
            exchange(parent, "a", "nothing")
    finally:
        os.close(parent)
