"""Content left out of a bundle: named by size and digest, fetched when a person agrees, and believed by its digest."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from big_files import BIG, DIGEST, contents, trace_big_files
from bundle_making import USER, BundleMaker, make_run, wrote
from rtrace.bundle.entry import Entry, FileType
from rtrace.elsewhere.sources import Sources
from rtrace.errors import ElsewhereError, HostileBundleError
from rtrace.manifest.model import Elsewhere
from rtrace.opening import open_bundle
from trace_builder import TraceBuilder
from web_server import Server

Rtrace = Callable[..., CompletedProcess[bytes]]


@pytest.fixture
def trace(tmp_path: Path) -> TraceBuilder:
    """A trace whose run read big.bin, two.bin and small in home/."""
    return trace_big_files(tmp_path / "home")


def test_larger_files_are_left_out_and_named(trace: TraceBuilder, tmp_path: Path, rtrace: Rtrace) -> None:
    """--larger-than leaves out content; size and digest stay; info, list, check and the dry run tell of it."""
    home, bundle = tmp_path / "home", tmp_path / "bundle.rpz"
    trace.finish()
    dry = rtrace("pack", "-d", home / ".rtrace", "--larger-than", "2M", "--dry-run").stdout.decode()
    assert [line.split()[0] for line in dry.splitlines() if line.endswith(".bin")] == ["elsewhere", "file"]
    done = rtrace("pack", "-d", home / ".rtrace", "--larger-than", "2M", bundle)
    assert done.returncode == 0, done.stderr
    assert f"the content of {home}/big.bin is not in the bundle; say under `elsewhere:`" in done.stderr.decode()
    assert bundle.stat().st_size < 500_000
    with open_bundle(bundle) as opened:
        opened.check()
        entry = opened.find(bytes(home / "big.bin"))
        assert entry is not None
        assert (entry.elsewhere, entry.size, entry.sha256, entry.offset) == (True, len(BIG), DIGEST, None)
        assert opened.manifest.elsewhere == (Elsewhere(entry.path, len(BIG), DIGEST, None),)
    info = rtrace("info", bundle).stdout.decode()
    assert "elsewhere   1 file, 2.9 MiB" in info
    assert f"{home}/big.bin: 2.9 MiB, at no known place, SHA-256 {DIGEST}" in info
    told = json.loads(rtrace("info", "--json", bundle).stdout)["elsewhere"]
    assert told == [{"path": f"{home}/big.bin", "size": len(BIG), "sha256": DIGEST, "url": None}]
    listed = rtrace("list", bundle).stdout.decode().splitlines()
    assert [line.split()[0] for line in listed if line.endswith(".bin")] == ["elsewhere", "file"]
    checked = rtrace("check", bundle)
    assert checked.returncode == 0
    assert b"the content of 1 file is elsewhere and was not looked at" in checked.stdout


@pytest.mark.parametrize(
    "found, announced, sentence",
    [
        (None, True, "the server says 404 Not Found"),
        (BIG + b"x", True, f"it has {len(BIG) + 1} bytes instead of {len(BIG)}"),
        (BIG + b"x" * 5_000_000, False, "that was packed: it has more than 3072000 bytes"),
        (BIG[:-1], True, "it has 3071999 bytes instead of 3072000"),
        (BIG[:-1], False, "it ended after 3071999 of 3072000 bytes"),
        (BIG[:-1] + b"x", True, "that was packed: its content differs"),
    ],
)
@pytest.mark.requires("busybox")
def test_what_is_not_the_content_is_refused(
    found: bytes | None,
    announced: bool,  # noqa: FBT001 -- pytest passes it by name
    sentence: str,
    tmp_path: Path,
    server: Server,
    rtrace: Rtrace,
) -> None:
    """One sentence with path, URL and digest; and no target, not even a part of one."""
    maker = BundleMaker(tmp_path / "made")
    maker.file(b"/work/big", BIG)
    bundle = write_elsewhere(maker, f"{server.url}/big")
    server.announces_length = announced
    if found is not None:
        server.files = {"/big": found}
    before = sorted(tmp_path.iterdir())
    done = rtrace("unpack", "chroot", "--fetch", bundle, tmp_path / "target")
    assert done.returncode == 125
    words = done.stderr.decode()
    assert sentence in words
    assert words.count("\n") == 1
    assert all(part in words for part in ("/work/big", f"{server.url}/big", DIGEST, "--from"))
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.requires("busybox", "root")
def test_a_name_does_not_lead_to_this_machine(tmp_path: Path, server: Server) -> None:
    """A name of a bundle that its author's name server resolves to this machine is not asked; nothing is made."""
    maker = BundleMaker(tmp_path / "made")
    maker.file(b"/work/big", BIG)
    server.files = {"/big": BIG}
    bundle = write_elsewhere(maker, f"{server.url.replace('127.0.0.1', 'data.example.org')}/big")
    (tmp_path / "hosts").write_text("127.0.0.1 localhost data.example.org\n")
    script = 'mount --bind hosts /etc/hosts && exec "$0" -m rtrace unpack chroot --fetch "$1" target'
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", script, sys.executable, bundle],
        cwd=tmp_path,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 125
    assert b"data.example.org has the address 127.0.0.1, of this machine" in done.stderr
    assert server.asked == []
    assert not (tmp_path / "target").exists()


def write_elsewhere(maker: BundleMaker, url: str | None, *, script: bytes = b"cat big") -> Path:
    """Write a bundle in which the content of /work/big is elsewhere, with a run that needs it."""
    item = maker.items[b"/work/big"]
    maker.items[b"/work/big"] = item._replace(entry=item.entry._replace(elsewhere=True))
    link = Entry(b"/work/link", FileType.REGULAR, 0o644, USER, USER, item.entry.mtime_ns, len(BIG), link=b"/work/big")
    maker.add(link)
    run = make_run(script)
    told = (Elsewhere(b"/work/big", len(BIG), DIGEST, url),)
    return maker.write(run, results=(wrote(b"/work/out", BIG),), elsewhere=told)


@pytest.mark.parametrize("unpacker", ["chroot", pytest.param("docker", marks=pytest.mark.requires("docker"))])
@pytest.mark.requires("busybox", "root")
def test_verify_and_run_replay_what_was_fetched(unpacker: str, tmp_path: Path, server: Server, rtrace: Rtrace) -> None:
    """A run that needs content from elsewhere is replayed; a further hard link has it, too; nothing else is fetched."""
    maker = BundleMaker(tmp_path / "made")
    maker.file(b"/work/big", BIG)
    server.files = {"/big": BIG}
    bundle = write_elsewhere(maker, f"{server.url}/big", script=b"cat link > out")
    done = rtrace("verify", "--all", "--unpacker", unpacker, "--fetch", bundle)
    assert (done.returncode, b"same       /work/out" in done.stdout) == (0, True), done.stderr + done.stdout
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "big").write_bytes(BIG)
    done = rtrace("run", "--unpacker", unpacker, "--from", folder, bundle)
    assert done.returncode == 0, done.stderr
    assert server.asked == [("/big", None)]
    refused = rtrace("verify", "--all", "--unpacker", unpacker, bundle)
    assert (refused.returncode, b"add --fetch to get it from" in refused.stderr) == (125, True)


@pytest.mark.requires("busybox")
def test_extract_fetches_as_well(tmp_path: Path, server: Server, rtrace: Rtrace) -> None:
    """`rtrace extract` gives content from elsewhere, compared with its digest, under any of its names."""
    maker = BundleMaker(tmp_path / "made")
    maker.file(b"/work/big", BIG)
    server.files = {"/big": BIG}
    bundle = write_elsewhere(maker, f"{server.url}/big")
    assert rtrace("extract", "--fetch", bundle, "/work/big").stdout == BIG
    assert rtrace("extract", "--fetch", bundle, "/work/link").stdout == BIG
    assert rtrace("extract", "--fetch", bundle, "/work", "-o", tmp_path / "out").returncode == 0
    assert (tmp_path / "out/work/big").read_bytes() == BIG
    refused = rtrace("extract", bundle, "/work/big")
    assert (refused.returncode, refused.stdout, b"add --fetch" in refused.stderr) == (125, b"", True)


@pytest.mark.requires("busybox")
def test_files_come_from_folders_that_a_person_named(tmp_path: Path) -> None:
    """A file: URL of a bundle is read where it leads into a folder given with --from, and nowhere else."""
    outside, inside = tmp_path / "outside", tmp_path / "inside"
    outside.mkdir()
    inside.mkdir()
    (inside / "a b").write_bytes(BIG)
    (outside / "file").write_bytes(BIG)
    (inside / "out").symlink_to(outside / "file")
    os.mkfifo(inside / "fifo")
    for number, (name, folder, is_found) in enumerate(
        (
            ("inside/a%20b", inside, True),
            ("inside/a%20b", outside, False),
            ("inside/../outside/file", inside, False),
            ("inside/out", inside, False),
            ("inside/fifo", inside, False),
            ("inside/a%00b", inside, False),
        )
    ):
        maker = BundleMaker(tmp_path / str(number))
        maker.file(b"/work/big", BIG)
        bundle = write_elsewhere(maker, f"file://{tmp_path}/{name}")
        if is_found:
            assert contents(bundle, Sources((folder,)))[b"/work/big"] == BIG
        else:
            with pytest.raises(ElsewhereError, match=r"name the folder that file:///.* is in with --from"):
                contents(bundle, Sources((folder,), fetch=True))


@pytest.mark.requires("busybox")
def test_manifest_and_index_must_agree(tmp_path: Path) -> None:
    """A manifest that names another digest than the index, or does not name the file, is refused."""
    for number, told in enumerate(((), (Elsewhere(b"/work/big", len(BIG), "a" * 64),))):
        maker = BundleMaker(tmp_path / str(number))
        maker.file(b"/work/big", BIG)
        item = maker.items[b"/work/big"]
        maker.items[b"/work/big"] = item._replace(entry=item.entry._replace(elsewhere=True))
        with open_bundle(maker.write(make_run(), elsewhere=told)) as opened, pytest.raises(HostileBundleError):
            _ = opened.entries


def test_content_elsewhere_has_no_place_in_reprozips_format(
    trace: TraceBuilder, tmp_path: Path, rtrace: Rtrace
) -> None:
    """Neither `pack --format reprozip` nor `export` writes a bundle that lacks a file without a word."""
    trace.finish()
    done = rtrace("pack", "-d", tmp_path / "home/.rtrace", "--larger-than", "2M", "--format", "reprozip", "x.rpz")
    assert (done.returncode, b"has no place for content elsewhere" in done.stderr) == (125, True)
    done = rtrace("pack", "-d", tmp_path / "home/.rtrace", "--larger-than", "2M", "own.rpz")
    assert done.returncode == 0, done.stderr
    done = rtrace("export", "-f", "reprozip", "-o", "x.rpz", "own.rpz")
    assert (done.returncode, b"leaves content elsewhere" in done.stderr) == (125, True)
    assert not (tmp_path / "x.rpz").exists()
