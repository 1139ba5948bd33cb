"""Kinds of secrets: each is found where people leave it, and what only looks like one is not."""

from __future__ import annotations

import subprocess
from pathlib import Path

from rtrace.privacy.searching.scan import scan_file
from secret_planting import Planter


def test_objects_of_git_are_searched(tmp_path: Path) -> None:
    """A secret that was committed and removed again is found: in a loose object, and in a pack."""
    secret = Planter().make_up('api_key = "{32}"\n')[0]

    def git(*command: str) -> None:
        identity = ("-c", "user.name=x", "-c", "user.email=x@x.example")
        subprocess.run(["git", *identity, *command], cwd=tmp_path, check=True, capture_output=True)

    git("init")
    for content in ("a line\n" * 100, "a line\n" * 100 + secret, "a line\n" * 101):
        (tmp_path / "study.py").write_text(content)
        git("add", ".")
        git("commit", "-m", "x")
    loose = [
        path for path in (tmp_path / ".git/objects").glob("??/*") if list(scan_file(bytes(path), [path.read_bytes()]))
    ]
    assert len(loose) == 1
    git("gc")
    (pack,) = (tmp_path / ".git/objects/pack").glob("*.pack")
    assert [found.rule for found in scan_file(bytes(pack), [pack.read_bytes()])] == ["secret-literal"]
