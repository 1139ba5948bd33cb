"""The configuration of a data store, what is kept in it, and what is lost to it."""

import hashlib
import os
from pathlib import Path

import pytest

from rtrace.errors import ConfigurationError, KeepingError
from rtrace.record.document import Record
from rtrace.record.empty import empty_record
from rtrace.record.keeping.configuration import Store, find_configuration, read_store
from rtrace.record.keeping.keeping import keep_outputs
from rtrace.record.keeping.webdav import DavPlace, is_here


def configure(folder: Path, text: str) -> str:
    """Write a configuration file."""
    path = folder / "config.yml"
    path.write_text(text)
    return str(path)


def test_a_configuration_names_folders_and_a_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A home is written out, and what is not named is not there."""
    monkeypatch.setenv("HOME", "/home/ada")
    path = configure(
        tmp_path, "store:\n  folder: ~/kept/\n  mirror: /mnt/kept\n  webdav: https://x/y\n  archive: true\n"
    )
    assert read_store(path) == Store(("/home/ada/kept", "/mnt/kept"), "https://x/y", archive=True)
    assert read_store(configure(tmp_path, "store: {webdav: 'http://localhost/'}\n")) == Store(
        (), "http://localhost/", archive=False
    )


@pytest.mark.parametrize("text", ["", "# nothing\n", "store:\n", "store: {}\n", "store: {archive: true}\n"])
def test_a_configuration_may_name_nothing(text: str, tmp_path: Path) -> None:
    """An empty file, and one without a place, keep nothing."""
    assert read_store(configure(tmp_path, text)) is None


@pytest.mark.parametrize(
    "text, reason",
    [
        ("store: [", "cannot be read"),
        ("stores: {}", "nothing but `store:`"),
        ("- store", "nothing but `store:`"),
        ("store: /kept", "no mapping"),
        ("store: {fodler: /x}", "`store.fodler`"),
        ("store: {folder: kept}", "`store.folder`"),
        ("store: {folder: [1]}", "`store.folder`"),
        ("store: {mirror: /kept}", "needs a `folder`"),
        ("store: {folder: /kept, archive: maybe}", "`store.archive`"),
        ("store: {webdav: 'file:///etc'}", "`store.webdav`"),
        ("store: {folder: &a [*a]}", "cannot be read"),
        ("store: {folder: \x00}", "cannot be read"),
    ],
)
def test_a_mistake_is_told_in_a_sentence(text: str, reason: str, tmp_path: Path) -> None:
    """It names the file and what is wrong in it."""
    path = configure(tmp_path, text)
    with pytest.raises(ConfigurationError) as caught:
        read_store(path)
    assert reason in str(caught.value)
    assert path in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_configuration_that_was_named_is_not_passed_over(tmp_path: Path) -> None:
    """One that is not there, is a folder, or is too large is no store that keeps nothing in silence."""
    (tmp_path / "large").write_bytes(b"#" * ((1 << 20) + 1))
    for name, reason in (("gone", "No such file"), (".", "Is a directory"), ("large", "is larger than 1.0 MiB")):
        with pytest.raises(ConfigurationError, match=reason):
            read_store(str(tmp_path / name))


def test_the_configuration_is_the_persons_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is what RTRACE_CONFIG names, else in the configuration folder; nothing in the folder of the experiment."""
    monkeypatch.delenv("RTRACE_CONFIG", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", "relative")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rtrace.yml").touch()
    assert find_configuration() is None
    (tmp_path / ".config/rtrace").mkdir(parents=True)
    (tmp_path / ".config/rtrace/config.yml").touch()
    assert find_configuration() == str(tmp_path / ".config/rtrace/config.yml")
    monkeypatch.setenv("RTRACE_CONFIG", "/elsewhere")
    assert find_configuration() == "/elsewhere"


def make_record(folder: Path, names: list[str]) -> Record:
    """Return the record of a run that wrote these files."""
    record = empty_record()
    for name in names:
        path = folder / name
        path.write_text(name)
        record["outputs"].append({
            "path": str(path), "size": len(name), "sha256": hashlib.sha256(name.encode()).hexdigest(), "md5": None,
            "stamped": [], "media_type": None, "modified": None, "problem": None,
        })  # fmt: skip
    return record


@pytest.mark.parametrize("archive", [False, True])
def test_what_has_changed_is_not_kept(archive: bool, tmp_path: Path) -> None:  # noqa: FBT001 -- a parameter
    """Outputs that are others now, gone, links or pipes are named and left out; the rest is kept."""
    names = ["whole", "changed", "gone", "link", "pipe", "folder"]
    record = make_record(tmp_path, names)
    (tmp_path / "changed").write_text("CHANGED")
    for name in names[2:]:
        (tmp_path / name).unlink()
    (tmp_path / "link").symlink_to("whole")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    kept = keep_outputs(record, Store((str(tmp_path / "kept"), str(tmp_path / "mirror")), None, archive), tmp_path)
    assert {file["path"] for file in kept.files} == {str(tmp_path / "whole")}
    assert len(kept.files) == 2
    assert kept.problems == []
    assert [sentence.removeprefix(f"{tmp_path}/") for sentence in kept.lost] == [
        "changed has changed since the run",
        "gone cannot be read (No such file or directory)",
        "link cannot be read (Too many levels of symbolic links)",
        "pipe is not an ordinary file any more",
        "folder is not an ordinary file any more",
    ]
    assert list(tmp_path.rglob("*incomplete*")) == []


def test_a_place_that_fails_leaves_the_others(tmp_path: Path) -> None:
    """Where the first folder is none, the mirror has the outputs, and the problem is told."""
    (tmp_path / "file").touch()
    record = make_record(tmp_path, ["a", "b"])
    kept = keep_outputs(
        record, Store((str(tmp_path / "file"), str(tmp_path / "mirror")), None, archive=False), tmp_path
    )
    assert len(kept.files) == 2
    assert kept.problems == [f"{tmp_path}/file cannot be written (Not a directory)"]


def test_an_archive_is_made_where_it_can_be(tmp_path: Path) -> None:
    """Where the first folder is none, the archive is made in the next one; an output without a digest is named."""
    (tmp_path / "file").touch()
    record = make_record(tmp_path, ["a", "b", "large"])
    record["outputs"][2]["sha256"], record["outputs"][2]["problem"] = None, "it is large"
    store = Store((str(tmp_path / "file"), str(tmp_path / "mirror")), None, archive=True)
    kept = keep_outputs(record, store, tmp_path / "spare")
    assert [file["path"] for file in kept.files] == [str(tmp_path / "a"), str(tmp_path / "b")]
    assert os.listdir(tmp_path / "mirror") == [f"{record['id']}.tar.zst"]
    reasons = {sentence.removeprefix(f"{tmp_path}/file cannot be written ") for sentence in kept.problems}
    assert reasons == {"(File exists)"}
    assert kept.lost == [f"{tmp_path}/large has no digest (it is large)"]


def test_what_a_killed_attempt_left_goes(tmp_path: Path) -> None:
    """Half a copy of yesterday goes when the content is kept; one of today may be somebody's, and stays."""
    record = make_record(tmp_path, ["content"])
    sha256 = record["outputs"][0]["sha256"] or ""
    folder = tmp_path / "kept" / sha256[:2]
    folder.mkdir(parents=True)
    for name, age in (("1", 90_000), ("2", 0)):
        left = folder / f".{sha256}.{name}.incomplete"
        left.touch()
        os.utime(left, (left.stat().st_mtime - age,) * 2)
    keep_outputs(record, Store((str(tmp_path / "kept"),), None, archive=False), tmp_path)
    assert sorted(os.listdir(folder)) == [f".{sha256}.2.incomplete", sha256]


def test_a_half_copy_is_made_whole(tmp_path: Path) -> None:
    """A file under a digest that is shorter than the content is written anew."""
    record = make_record(tmp_path, ["content"])
    sha256 = record["outputs"][0]["sha256"] or ""
    (tmp_path / "kept" / sha256[:2]).mkdir(parents=True)
    (tmp_path / "kept" / sha256[:2] / sha256).write_text("con")
    keep_outputs(record, Store((str(tmp_path / "kept"),), None, archive=False), tmp_path)
    assert (tmp_path / "kept" / sha256[:2] / sha256).read_text() == "content"


def test_a_password_goes_over_tls_alone() -> None:
    """Over plain http it goes to this machine, and to no other; the sentence does not say it."""
    with pytest.raises(KeepingError) as caught:
        DavPlace("http://ada:hunter2@dav.example.org/x")
    assert (
        str(caught.value)
        == "http://dav.example.org/x/ would be sent a password over http; write https in `store.webdav`"
    )
    assert DavPlace("https://ada:hunter2@dav.example.org:8443/x").url == "https://dav.example.org:8443/x/"
    assert [is_here(host) for host in ("localhost", "127.0.0.1", "::1", "example.org", "10.0.0.1")] == [
        True,
        True,
        True,
        False,
        False,
    ]
