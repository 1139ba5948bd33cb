"""A history in a folder: what is added is found, whatever becomes of the index beside it."""

import os
import sqlite3
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from rtrace.errors import AmbiguousRunError, BusyError, HistoryError, NoSuchRunError
from rtrace.files.locks import lock_folder
from rtrace.record import RECORD_FORMAT
from rtrace.record.changing.annotating import annotate, make_annotation
from rtrace.record.document import Record
from rtrace.record.history.folder import FolderHistory
from rtrace.record.history.layout import document_path
from rtrace.record.query import Query
from rtrace.record.stores.sqlite_index import SCHEMA_VERSION
from synthetic_history import (
    FIRST,
    ODD_NAMES,
    fill_history,
    make_file,
    make_parameters,
    make_synthetic,
    name_input,
    name_output,
)


@pytest.fixture
def told() -> list[str]:
    """What a history said of its index."""
    return []


@pytest.fixture
def history(tmp_path: Path, told: list[str]) -> FolderHistory:
    """An empty history."""
    return FolderHistory(tmp_path / "state/history", told.append)


def add(history: FolderHistory, number: int, **changes: object) -> Record:
    """Add a run, the same for the same number, with changes."""
    record = make_synthetic(number)
    record.update(changes)  # type: ignore[typeddict-item]
    history.add(record)
    return record


def find(history: FolderHistory, **wanted: object) -> list[int]:
    """Return the numbers of the runs that fit a query, the newest first."""
    catalogue = history.catalogue()
    rows = catalogue.find(Query(**wanted))  # type: ignore[arg-type]
    every = {name: value for name, value in wanted.items() if name not in {"limit", "offset"}}
    assert catalogue.count(Query(**wanted)) == len(catalogue.find(Query(**every)))  # type: ignore[arg-type]
    catalogue.close()
    return [(row.started - FIRST) // 60_000_000 for row in rows if row.started is not None]


def test_what_is_added_is_read_and_found(history: FolderHistory) -> None:
    """A document is private, whole, and in the list; adding leaves the index alone."""
    record = add(history, 1)
    assert not (history.root / "catalogue.sqlite3").exists()
    assert history.read(record["id"]) == record
    document = document_path(history.root, record["id"])
    assert stat.S_IMODE(document.stat().st_mode) == 0o600
    assert {stat.S_IMODE(folder.stat().st_mode) for folder in (history.root, document.parent)} == {0o700}
    assert find(history) == [1]
    assert list(history.identifiers()) == [record["id"]]
    assert [name for name in os.listdir(history.root / "pending") if name != "rtrace.lock"] == []


def test_a_shared_history_stays_shared(history: FolderHistory) -> None:
    """Where a lab has opened the folder to its group, what is written is open to it, too."""
    history.root.mkdir(parents=True)
    history.root.chmod(0o2770)
    record = add(history, 1)
    document = document_path(history.root, record["id"])
    assert stat.S_IMODE(document.stat().st_mode) == 0o660
    assert stat.S_IMODE(document.parent.stat().st_mode) == 0o2770


def test_nothing_is_there_yet(history: FolderHistory) -> None:
    """Asking a history that does not exist finds nothing and makes nothing."""
    assert find(history) == []
    with pytest.raises(NoSuchRunError, match="rtrace log"):
        history.catalogue().resolve("last")
    assert not history.root.exists()


def make_three(history: FolderHistory) -> None:
    """Add three runs that differ in everything that can be asked."""
    add(history, 1, tags=["calm"], reason="Étude préliminaire of the tides", label="first")
    record = make_synthetic(2)
    record["inputs"] = [make_file(*name_input(5))]
    record["outputs"] = [make_file(*name_output(2, 0)), {**make_file("/w/plot_a.png", "a" * 64), "stamped": ["b" * 64]}]
    record["tags"] = ["storm", "calm"]
    record["parameters"] += make_parameters({"model.depth": "shallow_water", "limits[0]": 12.5, "nudged": True})
    history.add(record)
    add(history, 9, outcome="diverged at step 40", project={"name": "tides", "description": None, "url": None})


@pytest.mark.parametrize(
    "wanted, found",
    [
        ({}, [9, 2, 1]),
        ({"limit": 2}, [9, 2]),
        ({"limit": 1, "offset": 1}, [2]),
        ({"tag": "calm"}, [2, 1]),
        ({"tag": "cal"}, []),
        ({"project": "tides"}, [9]),
        ({"since": FIRST + 2 * 60_000_000}, [9, 2]),
        ({"until": FIRST + 2 * 60_000_000}, [1]),
        ({"status": "failed"}, [9]),
        ({"kind": "replay"}, []),
        ({"file": name_output(2, 0)[0].encode()}, [2]),
        ({"file": b"plot_a.png"}, [2]),
        ({"file": b"/elsewhere/plot_a.png"}, []),
        ({"digest": name_input(5)[1]}, [2]),
        ({"digest": "b" * 64}, [2]),
        ({"digest": "c" * 64}, []),
        ({"parameters": (("--seed", "2"),)}, [2]),
        ({"parameters": (("--rate", "0.0200"),)}, [2]),
        ({"parameters": (("--rate", "0.02"), ("--seed", "1"))}, []),
        ({"text": "tides"}, [9, 1]),
        ({"text": "ETUDE"}, [1]),
        ({"text": '"of the tides"'}, [1]),
        ({"text": '"tides the of"'}, []),
        ({"text": "prelim*"}, [1]),
        ({"text": "prelim"}, []),
        ({"text": "plot_a.png"}, [2]),
        ({"text": "plot storm"}, [2]),
        ({"text": "residual diverged 40"}, [9]),
        ({"text": "simulate.py step"}, [9, 2, 1]),
        ({"text": "\" ' OR ( * NEAR"}, []),
        ({"text": "first"}, [1]),
        ({"text": "model depth"}, [2]),
        ({"text": '"depth shallow"'}, [2]),
        ({"text": "limits 12.5"}, [2]),
        ({"text": "nudged true"}, [2]),
    ],
)
def test_each_filter_finds_what_it_should(history: FolderHistory, wanted: dict[str, object], found: list[int]) -> None:
    """Filters and words are joined by and; numbers are equal as numbers, words without regard to case and accents."""
    make_three(history)
    assert find(history, **wanted) == found


def test_blame_knows_both_digests(history: FolderHistory) -> None:
    """A figure is found by its content with a stamp and without; one that was only read is nobody's."""
    make_three(history)
    catalogue = history.catalogue()
    for digest in ("a" * 64, "b" * 64):
        assert [made.path for made in catalogue.blame(digest)] == [b"/w/plot_a.png"]
    assert catalogue.blame(name_input(5)[1]) == []


def test_runs_have_names(history: FolderHistory) -> None:
    """A run is named by its label, by the beginning of its id, and by its place from the end."""
    make_three(history)
    catalogue = history.catalogue()
    ids = [make_synthetic(number)["id"] for number in (1, 2, 9)]
    assert [catalogue.resolve(name) for name in ("last~2", "last~1", "last")] == ids
    assert catalogue.resolve("first") == ids[0]
    for one in ids:
        short = catalogue.short(one)
        assert len(short) >= 8
        assert not short.endswith("-")
        assert catalogue.resolve(short) == catalogue.resolve(one) == catalogue.resolve(one.replace("-", "")) == one
    with pytest.raises(AmbiguousRunError, match="may be"):
        catalogue.resolve(ids[0][:6])
    for name in ("last~3", "nobody", "ffffffff", "last~", ""):
        with pytest.raises(NoSuchRunError, match="rtrace log"):
            catalogue.resolve(name)


def test_words_that_are_not_utf8_find_what_they_were_given_to(history: FolderHistory) -> None:
    """The command line hands bytes over as surrogates, which no database takes: each names its own run alone."""
    for number, odd in enumerate(ODD_NAMES):
        parameters = make_parameters({odd: odd})
        project = {"name": odd, "description": None, "url": None}
        add(history, number, label=odd, tags=[odd], project=project, parameters=parameters)
    catalogue = history.catalogue()
    for number, odd in enumerate(ODD_NAMES):
        for name, value in (("tag", odd), ("project", odd), ("parameters", ((odd, odd),))):
            assert find(history, **{name: value}) == [number], (odd, name)
        assert catalogue.resolve(odd) == make_synthetic(number)["id"]
        (row,) = catalogue.find(Query(tag=odd))
        assert (row.label, row.project, row.tags) == (odd, odd, [odd])
    assert find(history, text="\udcffnowhere") == []
    with pytest.raises(NoSuchRunError):
        catalogue.resolve("\udcff")
    catalogue.close()


def test_replays_are_not_the_last_run(history: FolderHistory) -> None:
    """`last` is the last run, and not a verification of it."""
    record = add(history, 1)
    add(history, 2, kind="verification")
    assert history.catalogue().resolve("last") == record["id"]


def test_a_change_is_found_and_the_old_words_are_not(history: FolderHistory) -> None:
    """An annotation renews what is found by; the files stay."""
    record = make_synthetic(1)
    record["outputs"] = [make_file("/w/a.csv", "a" * 64)]
    record["reason"] = "antediluvian"
    history.add(record)
    assert find(history, text="antediluvian") == [1]
    said = make_annotation(reason="modern", add_tags=["new"])
    assert history.replace(record["id"], lambda old: annotate(old, said))["reason"] == "modern"
    assert find(history, text="antediluvian") == []
    assert find(history, text="modern", tag="new", file=b"a.csv") == [1]


def test_what_is_forgotten_is_gone_from_the_index_too(history: FolderHistory) -> None:
    """No word of a forgotten run is left in the index; that it was forgotten is."""
    record = add(history, 1, reason="confidential")
    add(history, 2)
    assert find(history) == [2, 1]
    history.remove(record["id"])
    assert find(history) == [2]
    assert history.forgotten() == {record["id"]}
    with pytest.raises(NoSuchRunError):
        history.read(record["id"])
    with pytest.raises(NoSuchRunError):
        history.remove(record["id"])
    with sqlite3.connect(history.root / "catalogue.sqlite3") as index:
        assert index.execute("SELECT rowid FROM prose WHERE prose MATCH 'confidential'").fetchall() == []
    history.add(record)
    assert history.forgotten() == set()
    assert find(history) == [2, 1]


def test_a_change_that_goes_on_is_looked_at_again(history: FolderHistory) -> None:
    """A mark stays as long as its change is not finished, so that no index misses it."""
    record = add(history, 1)
    assert find(history) == [1]
    document = document_path(history.root, record["id"])
    (history.root / f"pending/{record['id']}.0123").touch()
    document.with_name(f".{record['id']}.0123").touch()
    assert find(history) == [1]
    assert (history.root / f"pending/{record['id']}.0123").exists()
    os.utime(document.with_name(f".{record['id']}.0123"), (1, 1))
    assert find(history) == [1]
    assert not (history.root / f"pending/{record['id']}.0123").exists()
    assert not document.with_name(f".{record['id']}.0123").exists()


def truncate(path: Path) -> None:
    """Cut a file in half."""
    os.truncate(path, path.stat().st_size // 2)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda path: path.write_bytes(b"this is no database, but a text of some length. " * 100),
        lambda path: path.write_bytes(path.read_bytes()[:100] + bytes(50_000)),
        lambda path: path.unlink(),
        lambda path: path.write_bytes(b""),
    ],
    ids=["text", "damaged", "gone", "empty"],
)
def test_a_broken_index_is_made_again(history: FolderHistory, told: list[str], spoil: Callable[[Path], None]) -> None:
    """Whatever became of the index, the runs are listed; that it was broken is said."""
    make_three(history)
    find(history)
    index = history.root / "catalogue.sqlite3"
    spoil(index)
    assert find(history) == [9, 2, 1]
    assert find(history, text="tides") == [9, 1]
    assert all("is broken" in sentence for sentence in told)


def test_a_newer_index_is_refused(history: FolderHistory) -> None:
    """An index of a later rtrace is left alone, in a sentence that says what to do."""
    make_three(history)
    find(history)
    with sqlite3.connect(history.root / "catalogue.sqlite3") as index:
        index.execute(f"PRAGMA user_version = {SCHEMA_VERSION + 1}")
    with pytest.raises(HistoryError, match=r"of a newer rtrace; update rtrace"):
        history.catalogue()


def test_an_older_index_is_made_again(history: FolderHistory, told: list[str]) -> None:
    """An index of an earlier rtrace is replaced without a word."""
    make_three(history)
    find(history)
    with sqlite3.connect(history.root / "catalogue.sqlite3") as index:
        index.execute("PRAGMA user_version = 1")
    assert find(history) == [9, 2, 1]
    assert told == []


def test_a_document_that_cannot_be_read_hides_no_other(history: FolderHistory) -> None:
    """A newer or broken document is told of, and all others are listed."""
    make_three(history)
    for number, data in ((20, b'{"format": %d}' % (RECORD_FORMAT + 1)), (21, b"{"), (22, b"[]")):
        identifier = make_synthetic(number)["id"]
        path = document_path(history.root, identifier)
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)
        (history.root / f"pending/{identifier}.0000").touch()
    assert find(history) == [9, 2, 1]
    told = [why for _identifier, why in history.catalogue().unread()]
    assert len(told) == 3
    assert any("newer rtrace" in why for why in told)
    history.rebuild()
    assert len(history.catalogue().unread()) == 3


def test_documents_that_were_copied_in_are_found_after_a_rebuild(history: FolderHistory) -> None:
    """A rebuild needs nothing but the documents, with several processes or one."""
    fill_history(history.root, range(230), inputs=3, outputs=2)
    assert history.rebuild() == 230
    assert len(find(history)) == 230
    assert find(history, digest=name_output(17, 1)[1]) == [17]


def test_a_busy_index_is_read_as_it_is(
    history: FolderHistory, told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where another process brings the index up to date for long, what it knows is listed, and that is said."""
    monkeypatch.setattr("rtrace.record.history.indexing._PATIENCE", 0)
    add(history, 1)
    find(history)
    add(history, 2)
    folder = os.open(history.root / "pending", os.O_RDONLY)
    with lock_folder(folder, "it"):
        assert find(history) == [1]
    os.close(folder)
    assert any("newest runs may be missing" in sentence for sentence in told)
    assert find(history) == [2, 1]


def test_a_locked_index_is_told_of(history: FolderHistory, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that holds the database itself is waited for, and then named as the reason."""
    monkeypatch.setattr("rtrace.record.stores.sqlite_index._BUSY_SECONDS", 0)
    add(history, 1)
    find(history)
    other = sqlite3.connect(history.root / "catalogue.sqlite3")
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(HistoryError, match="locked"):
        history.catalogue()
    other.close()
    assert find(history) == [1]


def test_a_record_is_changed_by_one_at_a_time(history: FolderHistory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who changes a record holds its folder; another one waits, and gives up in a sentence."""
    monkeypatch.setattr("rtrace.record.history.changing._PATIENCE", 0)
    record = add(history, 1)

    def change_twice(old: Record) -> Record:
        with pytest.raises(BusyError, match="try again"):
            history.replace(old["id"], lambda same: same)
        return old

    history.replace(record["id"], change_twice)


@pytest.mark.parametrize("kind", ["fifo", "symlink", "folder"])
def test_an_odd_file_in_place_of_a_document_is_refused(history: FolderHistory, tmp_path: Path, kind: str) -> None:
    """A fifo is not waited for, a symlink not followed; the sentence names the file."""
    record = add(history, 1)
    path = document_path(history.root, record["id"])
    path.unlink()
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "symlink":
        (tmp_path / "secret").write_text("{}")
        path.symlink_to(tmp_path / "secret")
    else:
        path.mkdir()
    with pytest.raises(Exception, match=record["id"]) as caught:
        history.read(record["id"])
    assert type(caught.value).__module__ == "rtrace.errors"
