"""What is fetched from a registry, also when that breaks in between, or somebody else is at it."""

import os
from pathlib import Path

import pytest

from odd_registry import Handler, OddRegistry, keep_apart, make_chunks, use_small_chunks
from rtrace.errors import BundleError, BusyError, ForeignError
from rtrace.operations.publishing.pulling import pull_bundle
from rtrace.operations.publishing.pushing import push_bundle


@pytest.fixture(autouse=True)
def apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """State of its own, no credentials, no waiting, and chunks of which a small bundle has several."""
    keep_apart(tmp_path, monkeypatch)
    use_small_chunks(monkeypatch)


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A bundle of a good megabyte that does not compress."""
    return make_chunks(tmp_path / "made")


def test_existing_file_is_refused_before_anybody_is_asked(registry: OddRegistry, bundle: Path, tmp_path: Path) -> None:
    """Neither a file nor a dangling link is written over."""
    (tmp_path / "link.rpz").symlink_to("nowhere")
    for name in (bundle, tmp_path / "link.rpz"):
        with pytest.raises(Exception, match="exists already; remove it or name another file"):
            pull_bundle(f"{registry.host}/study", name)
    with pytest.raises(BundleError, match="it is no folder; name another one"):
        pull_bundle(f"{registry.host}/study", tmp_path / "absent/a.rpz")
    assert registry.asked == []


def pull_partly(registry: OddRegistry, bundle: Path, target: Path, size: int) -> Path:
    """Have a part as a pull that was killed leaves it; return it."""
    pushed = push_bundle(bundle, f"{registry.host}/study")
    part = target.with_name(f"{target.name}.part-{pushed.content.digest[7:23]}")
    part.write_bytes(bundle.read_bytes()[:size])
    part.chmod(0o600)
    return part


def test_pull_goes_on_with_one_that_was_ended(registry: OddRegistry, bundle: Path, tmp_path: Path) -> None:
    """It says how much is here, asks for the rest alone, and the file has the usual permissions."""
    pull_partly(registry, bundle, tmp_path / "new.rpz", 700_000)
    registry.asked.clear()
    said: list[str] = []
    pulled = pull_bundle(f"{registry.host}/study", tmp_path / "new.rpz", tell=said.append)
    assert pulled.resumed == 700_000
    assert said[0].startswith("going on with an earlier `rtrace pull`: 683.6 KiB of ")
    assert registry.asked[-1][2]["range"] == "bytes=700000-"
    assert (tmp_path / "new.rpz").read_bytes() == bundle.read_bytes()
    mask = os.umask(0)
    os.umask(mask)
    assert (tmp_path / "new.rpz").stat().st_mode & 0o777 == 0o666 & ~mask
    assert sorted(tmp_path.glob("new.rpz*")) == [tmp_path / "new.rpz"]


def test_whole_part_needs_nothing_more(registry: OddRegistry, bundle: Path, tmp_path: Path) -> None:
    """A pull that was killed when all was there is finished without the content."""
    pull_partly(registry, bundle, tmp_path / "new.rpz", bundle.stat().st_size)
    registry.asked.clear()
    pull_bundle(f"{registry.host}/study", tmp_path / "new.rpz")
    assert not any("/blobs/" in path for _method, path, _headers in registry.asked)
    assert (tmp_path / "new.rpz").read_bytes() == bundle.read_bytes()


@pytest.mark.parametrize("damage", ["changed", "too long"])
def test_part_that_is_not_right_is_fetched_anew(
    damage: str, registry: OddRegistry, bundle: Path, tmp_path: Path
) -> None:
    """What is in a part counts for the digest as what comes; it is told, and all is fetched."""
    part = pull_partly(registry, bundle, tmp_path / "new.rpz", 700_000)
    part.write_bytes(bytes(700_000) if damage == "changed" else bundle.read_bytes() + b"x")
    said: list[str] = []
    pulled = pull_bundle(f"{registry.host}/study", tmp_path / "new.rpz", tell=said.append)
    assert pulled.resumed == 0
    assert said[-1].endswith("; it begins anew")
    assert (tmp_path / "new.rpz").read_bytes() == bundle.read_bytes()


def test_registry_without_ranges_gives_all_again(registry: OddRegistry, bundle: Path, tmp_path: Path) -> None:
    """Where the answer begins at the beginning, what is here already is passed over."""
    pull_partly(registry, bundle, tmp_path / "new.rpz", 700_000)
    registry.add("GET", "/blobs/", lambda handler: handler.respond(200, {}, bundle.read_bytes()))
    assert pull_bundle(f"{registry.host}/study", tmp_path / "new.rpz").resumed == 700_000
    assert (tmp_path / "new.rpz").read_bytes() == bundle.read_bytes()


def test_transfer_that_breaks_is_gone_on_with(registry: OddRegistry, bundle: Path, tmp_path: Path) -> None:
    """As long as each attempt brings something, it is asked for the rest."""
    push_bundle(bundle, f"{registry.host}/study")
    data = bundle.read_bytes()

    def rule(handler: Handler) -> None:
        begin = int((handler.headers["Range"] or "bytes=0-")[6:-1])
        headers = {"Content-Length": str(len(data) - begin), "Content-Range": f"bytes {begin}-{len(data) - 1}/*"}
        handler.respond(206 if begin else 200, headers, data[begin : begin + 300_000])
        handler.close_connection = True

    registry.add("GET", "/blobs/", rule)
    pull_bundle(f"{registry.host}/study", tmp_path / "new.rpz")
    assert (tmp_path / "new.rpz").read_bytes() == data


def test_parts_of_something_else_are_removed(registry: OddRegistry, bundle: Path, tmp_path: Path) -> None:
    """The tag was moved since: what is of no use is removed and told; what another name has stays."""
    push_bundle(bundle, f"{registry.host}/study")
    stale, foreign = tmp_path / f"new.rpz.part-{'0' * 16}", tmp_path / f"old.rpz.part-{'0' * 16}"
    for path in (stale, foreign):
        path.write_bytes(b"x")
    said: list[str] = []
    pull_bundle(f"{registry.host}/study", tmp_path / "new.rpz", tell=said.append)
    assert said == [f"removed {stale.name}, of an earlier `rtrace pull` of something else"]
    assert (stale.exists(), foreign.exists()) == (False, True)


@pytest.mark.parametrize("kind", ["link", "folder", "fifo", "hard link"])
def test_part_that_is_somebody_elses_doing_is_refused(
    kind: str, registry: OddRegistry, bundle: Path, tmp_path: Path
) -> None:
    """No link is followed from a folder that others may write in, and nobody waits at a FIFO."""
    part = pull_partly(registry, bundle, tmp_path / "new.rpz", 0)
    part.unlink()
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious")
    match kind:
        case "link":
            part.symlink_to(victim)
        case "folder":
            part.mkdir()
        case "fifo":
            os.mkfifo(part)
        case _:
            part.hardlink_to(victim)
    with pytest.raises(ForeignError, match=r"is not a file that rtrace wrote.*; remove it"):
        pull_bundle(f"{registry.host}/study", tmp_path / "new.rpz")
    assert victim.read_bytes() == b"precious"
    assert not (tmp_path / "new.rpz").exists()


def test_two_pulls_of_the_same_do_not_mix(registry: OddRegistry, bundle: Path, tmp_path: Path) -> None:
    """Whoever comes second is told who is at it."""
    import fcntl

    part = pull_partly(registry, bundle, tmp_path / "new.rpz", 10)
    with part.open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(BusyError, match=f"is being fetched by process {os.getpid()} of rtrace"):
            pull_bundle(f"{registry.host}/study", tmp_path / "new.rpz")
    pull_bundle(f"{registry.host}/study", tmp_path / "new.rpz")


def test_name_that_is_taken_meanwhile_is_not_written_over(registry: OddRegistry, bundle: Path, tmp_path: Path) -> None:
    """A file that somebody made while the content came stays as it is, and so does what was fetched."""
    push_bundle(bundle, f"{registry.host}/study")
    new = tmp_path / "new.rpz"

    def rule(_handler: Handler) -> bool:
        new.write_bytes(b"theirs")
        return True

    registry.add("GET", "/blobs/", rule)
    with pytest.raises(Exception, match="was made by somebody else in the meantime"):
        pull_bundle(f"{registry.host}/study", new)
    assert new.read_bytes() == b"theirs"
    new.unlink()
    registry.rules.clear()
    assert pull_bundle(f"{registry.host}/study", new).resumed == bundle.stat().st_size
