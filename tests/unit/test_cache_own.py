"""What a replay gets as its own of a tree that it shares: whatever the runs changed, and no more."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from rtrace.bundle.entry import Entry, FileType, Result
from rtrace.errors import UsageError
from rtrace.replay.cache_place import find_place, is_off, parse_size
from rtrace_unpackers.cache import own as owning
from rtrace_unpackers.cache.own import OPAQUE, Own, choose_own
from rtrace_unpackers.cache.seal import seal_tree
from rtrace_unpackers.files.layout import plan_layout
from rtrace_unpackers.files.ownership import Ownership, Person

ROOT = Ownership(keep=True)
USER = Ownership(keep=False, people=(Person(1000, frozenset({1000})),))
ALWAYS = {b"/", b"/dev", b"/proc", b"/sys"}


def file(path: bytes, **facts: Any) -> Entry:
    """Return an entry of a file that was read."""
    return Entry(path, FileType.REGULAR, 0o644, 1000, 1000, 0, 10, "0" * 64, reason="read", offset=0)._replace(**facts)


def folder(path: bytes, reason: str = "ancestor", **facts: Any) -> Entry:
    """Return an entry of a folder."""
    return Entry(path, FileType.DIRECTORY, 0o755, 1000, 1000, 0, reason=reason)._replace(**facts)


def changed(path: bytes, kind: FileType | None = FileType.REGULAR) -> Result:
    """Return that a run changed something."""
    return Result("run1", path, kind)


def choose(entries: Iterable[Entry], *results: Result, ownership: Ownership = ROOT) -> Own | None:
    """Choose of entries."""
    return choose_own(plan_layout(entries), results, ownership)


def paths(chosen: Own | None) -> set[bytes]:
    """Return what was chosen besides what always is."""
    assert chosen is not None
    return {entry.path for entry in chosen.entries} - ALWAYS


def test_changed_files_are_chosen_with_their_folders_and_names() -> None:
    """A file that was changed, all its hard links, and the way to them; not its neighbours."""
    entries = [
        folder(b"/w"),
        file(b"/w/a"),
        file(b"/w/b"),
        file(b"/x/c", link=b"/w/a", offset=None),
        file(b"/w/d"),
    ]
    assert paths(choose(entries, changed(b"/x/c"))) == {b"/w", b"/w/a", b"/x", b"/x/c"}
    assert paths(choose(entries, changed(b"/w/new"))) == set()


def test_copies_and_files_elsewhere_are_files_of_their_own() -> None:
    """What is in the bundle as a copy of another file, or fetched, is an ordinary file in the tree."""
    entries = [
        file(b"/w/a"),
        file(b"/w/copy", copy_of=b"/w/a", offset=None),
        file(b"/w/far", elsewhere=True, offset=None),
    ]
    chosen = choose(entries, changed(b"/w/copy"), changed(b"/w/far"))
    assert chosen is not None
    assert {(entry.copy_of, entry.elsewhere) for entry in chosen.entries} == {(None, False)}
    assert {b"/w/copy", b"/w/far"} <= paths(chosen)


@pytest.mark.parametrize("result", [changed(b"/w/old", None), changed(b"/w/old", FileType.SYMLINK)])
def test_folder_that_went_is_chosen_whole(result: Result) -> None:
    """A folder that a run renamed or removed is copied with all that is in it, and hides what is below."""
    entries = [folder(b"/w/old"), file(b"/w/old/a"), file(b"/w/old/b/c"), file(b"/w/z", size=100)]
    chosen = choose(entries, result)
    assert paths(chosen) == {b"/w", b"/w/old", b"/w/old/a", b"/w/old/b", b"/w/old/b/c"}
    assert chosen is not None
    assert [entry.path for entry in chosen.entries if OPAQUE in entry.xattrs] == [b"/w/old"]


def test_folder_that_was_renamed_and_made_again_is_chosen_whole() -> None:
    """Its reason tells, where its result is a folder."""
    entries = [folder(b"/w/old", "renamed or linked"), file(b"/w/old/a"), file(b"/w/z", size=100)]
    assert b"/w/old/a" in paths(choose(entries, changed(b"/w/old", FileType.DIRECTORY)))


def test_listed_folder_with_new_files_is_chosen_if_it_is_small(monkeypatch: pytest.MonkeyPatch) -> None:
    """The order of its names is then as in a folder of its own; of a large one it is said that it may not be."""
    entries = [folder(b"/w", "listed"), file(b"/w/a"), file(b"/w/b")]
    small = choose(entries, changed(b"/w/new"))
    assert paths(small) == {b"/w", b"/w/a", b"/w/b"}
    assert small is not None
    assert small.is_exact
    monkeypatch.setattr(owning, "MOST_LISTED_FILES", 2)
    large = choose(entries, changed(b"/w/new"))
    assert (paths(large), large is not None and large.is_exact) == (set(), False)
    unlisted = choose([folder(b"/w"), *entries[1:]], changed(b"/w/new"))
    assert (paths(unlisted), unlisted is not None and unlisted.is_exact) == (set(), True)


def test_trees_that_cannot_be_shared() -> None:
    """Attributes of overlays, unknown uses, files that the user may not read, runs that take most of it away."""
    entries = [folder(b"/w"), file(b"/w/a"), file(b"/w/b")]
    assert choose([*entries, file(b"/w/c", xattrs=((b"user.overlay.whiteout", b"y"),))]) is None
    assert choose([*entries, file(b"/w/c", xattrs=((b"user.overlays", b"y"),))]) is not None
    assert choose([entry._replace(reason="") for entry in entries]) is None
    hidden = [*entries, file(b"/w/c", mode=0o200)]
    assert choose(hidden, changed(b"/w/c"), ownership=USER) is None
    assert choose(hidden, changed(b"/w/a"), ownership=USER) is not None
    assert choose(hidden, changed(b"/w/c")) is not None
    large = [folder(b"/w/old"), file(b"/w/old/a", size=1 << 30), file(b"/w/b")]
    assert choose(large, changed(b"/w/old", None)) is None


def test_entries_of_own_files_can_be_laid_out() -> None:
    """They are what `plan_layout` takes, and lead to the same attributes of every folder."""
    entries = [folder(b"/w", mode=0o700), file(b"/w/a"), folder(b"/dev", mode=0o711)]
    chosen = choose(entries, changed(b"/w/a"))
    assert chosen is not None
    modes = {entry.path: entry.mode for entry in plan_layout(chosen.entries).directories}
    assert (modes[b"/w"], modes[b"/dev"]) == (0o700, 0o711)


def test_seal_tells_every_change(tmp_path: Path) -> None:
    """Content, time, permissions, names, new files: each gives another seal, and nothing else does."""
    for name in ("a/b/c", "a/d"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    os.utime(tmp_path / "a/d", ns=(1, 1))
    root = os.open(tmp_path, os.O_RDONLY)
    seals = [seal_tree(root)]
    assert seal_tree(root) == seals[0]

    def rewrite() -> None:
        (tmp_path / "a/d").write_text("A/D")
        os.utime(tmp_path / "a/d", ns=(1, 1))

    for change in (
        rewrite,
        lambda: (tmp_path / "a/d").chmod(0o600),
        lambda: (tmp_path / "a/d").rename(tmp_path / "a/e"),
        (tmp_path / "new").touch,
        (tmp_path / "a/b/c").unlink,
    ):
        change()
        seals.append(seal_tree(root))
    os.close(root)
    assert len({dataclasses.astuple(seal) for seal in seals}) == len(seals)


def test_place_of_the_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    """RTRACE_CACHE says where it is, or that there is none; else it is in the folder for caches."""
    monkeypatch.setenv("RTRACE_CACHE", "/elsewhere")
    assert (find_place(), is_off()) == (Path("/elsewhere"), False)
    monkeypatch.setenv("RTRACE_CACHE", "off")
    assert is_off()
    monkeypatch.delenv("RTRACE_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", "/caches")
    assert (find_place(), is_off()) == (Path("/caches/rtrace/trees"), False)
    monkeypatch.setenv("XDG_CACHE_HOME", "not/absolute")
    base = Path("/var/cache") if os.geteuid() == 0 else Path("~/.cache").expanduser()
    assert find_place() == base / "rtrace/trees"


def test_sizes_are_read() -> None:
    """Bytes, or a number with a unit; nothing else."""
    assert [parse_size(text) for text in ("0", "12", "3K", "2m", "1G", "1T")] == [
        0,
        12,
        3072,
        2 << 20,
        1 << 30,
        1 << 40,
    ]
    for text in ("", "much", "-1", "1.5G", "1X", "G"):
        with pytest.raises(UsageError):
            parse_size(text)
