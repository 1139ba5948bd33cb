"""What strangers write: documents to import, histories to share, an index that is not rtrace's. Nothing is lost."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from rtrace.errors import HistoryError, UsageError
from rtrace.operations.history.importing import Imported, import_paths, take_in
from rtrace.operations.history.syncing import MOST_FORGOTTEN, sync_histories
from rtrace.printable import protect_cell
from rtrace.record.document import Record
from rtrace.record.history.folder import FolderHistory
from rtrace.record.history.layout import document_path
from rtrace.record.ids import new_id
from rtrace.record.query import Query
from rtrace.record.writing import write_record
from synthetic_history import make_synthetic


@pytest.fixture
def history(tmp_path: Path) -> FolderHistory:
    """A history with three runs."""
    made = FolderHistory(tmp_path / "mine")
    for number in range(3):
        made.add(make_synthetic(number))
    return made


def list_runs(history: FolderHistory) -> int:
    """Return how many runs the list has."""
    with closing(history.catalogue()) as catalogue:
        return len(catalogue.find(Query()))


@pytest.mark.parametrize("number", ["1e999", "-1e999", "1" + "0" * 400])
def test_a_number_without_end_is_no_record(number: str, history: FolderHistory, tmp_path: Path) -> None:
    """It is JSON, and Python reads it; no history could write it again. It is told, and the list stays."""
    text = write_record({**make_synthetic(9), "usage": {**make_synthetic(9)["usage"], "wall": 0.125}}).decode()
    (tmp_path / "wall.json").write_text(text.replace('"wall":0.125', f'"wall":{number}', 1))
    (tmp_path / "imported.json").write_text(text.replace('"imported":null', f'"imported":{{"x":{number}.0}}', 1))
    told: list[str] = []
    imported = import_paths(history, [tmp_path / "wall.json", tmp_path / "imported.json"], told.append)
    assert (imported.added, imported.problems, len(told)) == (0, 2, 2)
    assert list_runs(history) == 3


def test_no_record_that_is_taken_can_break_the_list(history: FolderHistory, tmp_path: Path) -> None:
    """One with a number larger than a database keeps did: no command worked any more."""
    record = make_synthetic(9)
    record["usage"]["wall"], record["usage"]["peak_memory"] = 1.7e308, (1 << 63) - 1
    path = tmp_path / "large.json"
    path.write_bytes(write_record(record))
    assert import_paths(history, [path], lambda _: None).added == 1
    assert list_runs(history) == 4


def test_one_bad_line_costs_only_itself(history: FolderHistory, tmp_path: Path) -> None:
    """The rest of a dump is taken."""
    bad = write_record(make_synthetic(7)).decode().replace('"imported":null', '"imported":{"x":1e999}')
    path = tmp_path / "dump.jsonl"
    path.write_text(write_record(make_synthetic(6)).decode() + bad + write_record(make_synthetic(8)).decode())
    imported = import_paths(history, [path], lambda _: None)
    assert (imported.added, imported.problems) == (2, 1)


def test_a_document_with_the_identifier_of_a_run_does_not_replace_it(history: FolderHistory) -> None:
    """Only what people say of a run is added to it."""
    mine = make_synthetic(1)
    theirs: Record = {**make_synthetic(1), "arguments": ["evil"], "outputs": [], "workingdir": "/evil"}
    take_in(history, theirs, Imported())
    kept = history.read(mine["id"])
    assert (kept["arguments"], kept["outputs"]) == (mine["arguments"], mine["outputs"])


class Lying(FolderHistory):
    """A history that somebody else writes: it says what it likes of its records."""

    def __init__(self, root: Path, names: dict[str, bytes], gone: set[str]) -> None:
        super().__init__(root)
        self._names, self._gone = names, gone

    def identifiers(self) -> Iterator[str]:
        """Yield names that are its own."""
        yield from self._names

    def forgotten(self) -> set[str]:
        """Return what it says was removed."""
        return self._gone

    def read_document(self, identifier: str) -> bytes | None:
        """Return what it says is the document."""
        return self._names.get(identifier)


def test_a_history_cannot_slip_in_the_document_of_another_run(history: FolderHistory, tmp_path: Path) -> None:
    """It would have taken the place of the user's own."""
    evil: Record = {**make_synthetic(1), "arguments": ["evil"]}
    told: list[str] = []
    synced = sync_histories(history, Lying(tmp_path / "theirs", {new_id(): write_record(evil)}, set()), told.append)
    assert synced.problems == 1
    assert "another run" in told[0]
    assert history.read(evil["id"])["arguments"] == make_synthetic(1)["arguments"]


def test_what_is_forgotten_elsewhere_names_no_file(history: FolderHistory, tmp_path: Path) -> None:
    """A path in the place of an identifier made a file anywhere."""
    sync_histories(history, Lying(tmp_path / "theirs", {}, {"../../planted", "x"}), lambda _: None)
    assert not (tmp_path / "planted").exists()
    assert history.forgotten() == set()


def test_a_history_that_has_forgotten_all_does_not_empty_another(tmp_path: Path) -> None:
    """More than a few runs are forgotten only when the user says that it is meant; nothing is done before."""
    mine, theirs = FolderHistory(tmp_path / "mine"), FolderHistory(tmp_path / "theirs")
    for number in range(MOST_FORGOTTEN + 1):
        record = make_synthetic(number)
        mine.add(record)
        theirs.forget(record["id"])
    theirs.add(make_synthetic(99))
    with pytest.raises(UsageError, match="--forget-many"):
        sync_histories(mine, theirs, lambda _: None)
    assert len(list(mine.identifiers())) == MOST_FORGOTTEN + 1
    assert mine.forgotten() == set()
    synced = sync_histories(mine, theirs, lambda _: None, forget_many=True)
    assert (synced.forgotten, synced.fetched) == (MOST_FORGOTTEN + 1, 1)


def test_a_new_folder_learns_what_was_forgotten(history: FolderHistory, tmp_path: Path) -> None:
    """The first thing that a sync writes there may be that."""
    history.remove(make_synthetic(1)["id"])
    theirs = FolderHistory(tmp_path / "new/theirs")
    assert sync_histories(history, theirs, lambda _: None).sent == 2
    assert theirs.forgotten() == {make_synthetic(1)["id"]}


def test_a_link_in_a_history_stops_nothing(history: FolderHistory, tmp_path: Path) -> None:
    """It is not followed, and told; the other runs are taken."""
    theirs = FolderHistory(tmp_path / "theirs")
    theirs.add(make_synthetic(5))
    link = document_path(theirs.root, new_id())
    link.parent.mkdir(exist_ok=True)
    link.symlink_to(document_path(history.root, make_synthetic(1)["id"]))
    told: list[str] = []
    synced = sync_histories(history, theirs, told.append)
    assert (synced.fetched, synced.problems, len(told)) == (1, 1, 1)


ENDLESS = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n)"


@pytest.mark.parametrize(
    "sql",
    [
        f"ALTER TABLE runs RENAME TO a; CREATE VIEW runs AS {ENDLESS} SELECT a.* FROM n, a",  # noqa: S608 - ours
        "CREATE TRIGGER evil AFTER INSERT ON runs BEGIN DELETE FROM runs; END",
    ],
)
def test_an_index_with_views_or_triggers_is_made_again(sql: str, history: FolderHistory) -> None:
    """They could go on for ever, or change what is found."""
    assert list_runs(history) == 3
    with closing(sqlite3.connect(history.root / "catalogue.sqlite3")) as connection:
        connection.executescript(sql)
    history.add(make_synthetic(4))
    assert list_runs(history) == 4


def test_a_row_that_is_none_is_told(history: FolderHistory) -> None:
    """With what makes the index again."""
    assert list_runs(history) == 3
    with closing(sqlite3.connect(history.root / "catalogue.sqlite3")) as connection:
        connection.executescript("UPDATE runs SET tags = 'x'")
    with pytest.raises(HistoryError, match="--rebuild"):
        list_runs(history)
    history.rebuild()
    assert list_runs(history) == 3


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)"])
def test_no_cell_is_a_formula(text: str) -> None:
    """A spreadsheet would carry out what a stranger called a run."""
    assert protect_cell(text) == "'" + text
    assert protect_cell("a=1") == "a=1"
