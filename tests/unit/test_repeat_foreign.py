"""`rtrace repeat` runs what its user has run, and shows what somebody else's record would run."""

import os
from pathlib import Path

import pytest

from rtrace.errors import UsageError
from rtrace.operations.recording.own import is_own, note_own
from rtrace.operations.repeating.repetition import plan_repetition, refuse_foreign
from rtrace.record.document import Record
from rtrace.record.empty import empty_record
from rtrace.record.history.place import own_folder


@pytest.fixture
def record(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Record:
    """A record of a command, and a folder for state of this test alone."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    made = empty_record()
    made["arguments"] = ["sh", "-c", "echo \x1b[2J; rm -rf x"]
    made["workingdir"] = str(tmp_path)
    made["environment"] = {"PATH": "/tmp/evil", "LANG": "C"}
    made["user"]["name"], made["machine"]["hostname"] = "eve", "elsewhere"
    return made


def refuse(record: Record) -> None:
    """Refuse a record if it is somebody else's."""
    present = {b"LANG": b"C"}
    refuse_foreign(record, plan_repetition(record, present, "0193a5c1"), present, "0193a5c1")


def test_the_command_of_somebody_else_is_shown_and_not_run(record: Record) -> None:
    """With who made it, where it would run and which variables it brings; nothing of it reaches a terminal raw."""
    with pytest.raises(UsageError) as refused:
        refuse(record)
    sentence = str(refused.value)
    for part in ("eve", "elsewhere", "rm -rf x", record["workingdir"] or "", "PATH", "repeat --yes 0193a5c1"):
        assert part in sentence
    assert "\x1b" not in sentence
    assert "LANG" not in sentence


def test_a_run_of_ones_own_is_repeated_without_a_question(record: Record) -> None:
    """It was noted when it was recorded; whatever is said of it later changes nothing."""
    note_own(record)
    record["label"], record["tags"] = "first", ["a"]
    refuse(record)
    assert (own_folder().with_name("own-runs").stat().st_mode & 0o777) == 0o600


@pytest.mark.parametrize("key", ["id", "arguments", "workingdir", "environment", "redacted"])
def test_a_record_that_was_changed_is_somebody_elses(key: str, record: Record) -> None:
    """Who can write in a shared history cannot lay a command under another user's run."""
    note_own(record)
    other = empty_record()
    changed: Record = {**record, key: other[key] or ["x"]}  # type: ignore[misc]
    assert is_own(record)
    assert not is_own(changed)


def test_notes_that_others_can_write_count_for_nothing(record: Record, tmp_path: Path) -> None:
    """Nor does a link, nor a fifo, which is not waited for."""
    note_own(record)
    notes = own_folder().with_name("own-runs")
    notes.chmod(0o666)
    assert not is_own(record)
    notes.chmod(0o600)
    notes.rename(tmp_path / "elsewhere")
    notes.symlink_to(tmp_path / "elsewhere")
    assert not is_own(record)
    notes.unlink()
    os.mkfifo(notes)
    note_own(record)
    assert not is_own(record)
