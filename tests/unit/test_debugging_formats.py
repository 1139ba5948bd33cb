"""What `--debug` tells of package databases, formats and content that is elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from rtrace.debugging import switch_off, switch_on
from rtrace.errors import BundleError
from rtrace.opening import open_bundle
from rtrace.packages.attribution import attribute


@pytest.fixture
def told() -> Iterator[list[str]]:
    """The messages that are told while a test runs."""
    messages: list[str] = []
    switch_on(messages.append)
    yield messages
    switch_off()


def test_package_databases_are_told(told: list[str], tmp_path: Path) -> None:
    """Each database that is there is told with how many files it owns; one that is not there is not."""
    database = tmp_path / "lib/apk/db/installed"
    database.parent.mkdir(parents=True)
    database.write_text("P:musl\nV:1.2\nA:x86_64\nF:lib\nR:ld-musl-x86_64.so.1\n\n")
    owners = attribute([b"/lib/ld-musl-x86_64.so.1", b"/data"], root=bytes(tmp_path)).owners
    assert [owner.name for owner in owners.values()] == ["musl"]
    found = [message.partition("attribution: ")[2] for message in told]
    assert any(one.startswith(f"apk in {database} owns 1 of 2 files (") for one in found)
    assert not any("dpkg" in one or "rpm" in one for one in found)


def test_format_is_told(told: list[str], tmp_path: Path) -> None:
    """The format that a file was recognised as is told, and that there is none."""
    file = tmp_path / "file"
    file.write_bytes(b"METADATA/version".ljust(512, b"\0") + b"RTRACE BUNDLE 9\n")
    with pytest.raises(BundleError):
        open_bundle(file)
    file.write_bytes(b"nothing")
    with pytest.raises(BundleError):
        open_bundle(file)
    found = [message.partition("opening: ")[2] for message in told]
    assert [one for one in found if one] == [
        f"{file}: a bundle of rtrace",
        f"{file}: a bundle of no format that is known",
    ]
