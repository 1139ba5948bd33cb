"""Files of package managers are read whatever a run, or a person, has put in their places."""

import os
from pathlib import Path

from rtrace.files.reading import read_file


def test_what_cannot_be_read_is_empty(tmp_path: Path) -> None:
    """A FIFO without a writer is not waited for; what is missing, a folder or too long is nothing."""
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "file").write_bytes(b"123")
    assert read_file(os.fsencode(tmp_path / "fifo")) == b""
    assert read_file(os.fsencode(tmp_path / "missing")) == b""
    assert read_file(os.fsencode(tmp_path)) == b""
    assert read_file(os.fsencode(tmp_path / "file"), 3) == b"123"
    assert read_file(os.fsencode(tmp_path / "file"), 2) == b""
