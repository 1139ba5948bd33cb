"""What is sent to a registry, also when that breaks in between, or somebody else is at it."""

import json
import os
from pathlib import Path

import pytest

from bundle_making import BundleMaker, make_run
from odd_registry import CHUNK, Handler, OddRegistry, digest_of, keep_apart, make_chunks, use_small_chunks
from rtrace.errors import BusyError, RegistryError, UsageError
from rtrace.operations.publishing.pulling import pull_bundle
from rtrace.operations.publishing.pushing import push_bundle
from rtrace.registry import sessions, uploading
from rtrace.registry.sessions import open_session


@pytest.fixture(autouse=True)
def apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """State of its own, no credentials, no waiting, and chunks of which a small bundle has several."""
    keep_apart(tmp_path, monkeypatch)
    use_small_chunks(monkeypatch)


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A bundle of a good megabyte that does not compress."""
    return make_chunks(tmp_path / "made")


def list_state(tmp_path: Path) -> list[str]:
    """Return the names of what is kept of uploads."""
    folder = tmp_path / "state/rtrace/uploads"
    return sorted(path.name for path in folder.rglob("*")) if folder.exists() else []


def test_bundle_comes_back_as_it_was(registry: OddRegistry, bundle: Path, tmp_path: Path) -> None:
    """What is pulled is to the byte what was pushed, by tag and by digest; nothing is left beside it."""
    pushed = push_bundle(bundle, f"{registry.host}/ada/study:1.0")
    assert (pushed.sent, pushed.resumed, pushed.replaced) == (True, 0, None)
    by_tag = pull_bundle(f"{registry.host}/ada/study:1.0", tmp_path / "a.rpz")
    by_digest = pull_bundle(pushed.reference.by_digest(pushed.digest), tmp_path / "b.rpz")
    for one in (by_tag, by_digest):
        assert one.path.read_bytes() == bundle.read_bytes()
        assert (one.identity, one.digest, one.resumed) == (pushed.identity, pushed.digest, 0)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.rpz", "b.rpz", "made", "state"]
    assert list_state(tmp_path) == []
    assert not any("authorization" in headers for _method, _path, headers in registry.asked)


def test_nothing_is_sent_that_is_there(registry: OddRegistry, bundle: Path, tmp_path: Path) -> None:
    """A second push asks, sends no content, and gives a tag; another name of the file makes no other manifest."""
    first = push_bundle(bundle, f"{registry.host}/study:1")
    other = bundle.rename(tmp_path / "other.rpz")
    registry.asked.clear()
    taken = registry.taken
    second = push_bundle(other, f"{registry.host}/study:2")
    assert (second.sent, second.digest) == (False, first.digest)
    assert registry.taken - taken == len(registry.manifests["2"])
    assert not {"POST", "PATCH"} & set(registry.methods())


def test_tag_that_moves_is_told(registry: OddRegistry, bundle: Path, tmp_path: Path) -> None:
    """A push to a tag that another bundle has gives the digest of that one back."""
    first = push_bundle(bundle, f"{registry.host}/study")
    other = BundleMaker(tmp_path / "other", runnable=False).write(make_run(b"true"))
    assert push_bundle(other, f"{registry.host}/study").replaced == first.digest
    assert push_bundle(other, f"{registry.host}/study").replaced is None


def test_digest_in_the_reference_of_a_push_is_a_promise(registry: OddRegistry, bundle: Path) -> None:
    """Under a digest nothing else is pushed, and its own digest needs no tag."""
    with pytest.raises(UsageError, match="push it by a tag"):
        push_bundle(bundle, f"{registry.host}/study@sha256:{'0' * 64}")
    assert registry.asked == []
    digest = push_bundle(bundle, f"{registry.host}/study").digest
    registry.manifests.clear()
    pushed = push_bundle(bundle, f"{registry.host}/study@{digest}")
    assert (list(registry.manifests), pushed.reference.tag) == ([digest], None)


def break_once(registry: OddRegistry, after: int, method: str = "PATCH") -> None:
    """Have the registry take some bytes of the third such request, and hang up; then all is as usual."""
    left = [3]

    def rule(handler: Handler) -> bool | None:
        left[0] -= 1
        if left[0]:
            return True
        upload = registry.uploads[handler.path]
        upload += handler.rfile.read(after)
        registry.taken += after
        handler.close_connection = True
        return None

    registry.add(method, "/uploads/", rule)


def test_connection_that_breaks_is_gone_on_with(registry: OddRegistry, bundle: Path) -> None:
    """Of a chunk that broke off, only what the registry does not have is sent again."""
    break_once(registry, 1000)
    pushed = push_bundle(bundle, f"{registry.host}/study")
    assert registry.blobs[pushed.content.digest] == bundle.read_bytes()
    assert registry.taken == pushed.content.size + len(b"{}") + len(registry.manifests["latest"])


class KilledError(BaseException):
    """What stands for the end of the process."""


def push_and_die(registry: OddRegistry, bundle: Path, monkeypatch: pytest.MonkeyPatch, after: int) -> None:
    """Push, and end without any cleaning up after some bytes were read."""
    read = os.pread
    count = [0]

    def read_or_die(descriptor: int, size: int, offset: int) -> bytes:
        count[0] += size if size < 1 << 20 else 0
        if count[0] > after:
            raise KilledError
        return read(descriptor, size, offset)

    with monkeypatch.context() as patch:
        patch.setattr(os, "pread", read_or_die)
        with pytest.raises(KilledError):
            push_bundle(bundle, f"{registry.host}/study")


def test_push_goes_on_with_one_that_was_ended(
    registry: OddRegistry, bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next push says how much is there, sends only the rest, and leaves nothing of its own."""
    push_and_die(registry, bundle, monkeypatch, 3 * CHUNK)
    assert list_state(tmp_path)[1:] == ["rtrace.lock", "upload.json"]
    said: list[str] = []
    pushed = push_bundle(bundle, f"{registry.host}/study", tell=said.append)
    assert 2 * CHUNK < pushed.resumed <= 3 * CHUNK
    assert said[0].startswith("going on with an earlier `rtrace push`: ")
    assert registry.blobs[pushed.content.digest] == bundle.read_bytes()
    assert registry.taken < pushed.content.size + CHUNK
    assert list_state(tmp_path) == []


def test_upload_that_is_done_is_forgotten(
    registry: OddRegistry, bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A push that was killed when its content was there leaves nothing behind after the next one."""
    push_and_die(registry, bundle, monkeypatch, 3 * CHUNK)
    registry.blobs[digest_of(bundle.read_bytes())] = bundle.read_bytes()
    assert not push_bundle(bundle, f"{registry.host}/study").sent
    assert list_state(tmp_path) == []


def test_push_begins_anew_where_the_registry_has_forgotten(
    registry: OddRegistry, bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says so, and all is sent."""
    push_and_die(registry, bundle, monkeypatch, 3 * CHUNK)
    registry.uploads.clear()
    said: list[str] = []
    pushed = push_bundle(bundle, f"{registry.host}/study", tell=said.append)
    assert pushed.resumed == 0
    assert said == ["the registry has forgotten the upload that an earlier `rtrace push` began; it begins anew"]
    assert registry.blobs[pushed.content.digest] == bundle.read_bytes()
    assert list_state(tmp_path) == []


def test_push_begins_anew_where_something_else_was_left(
    registry: OddRegistry, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the registry refuses for its digest, since an earlier push had sent something else, is sent whole."""
    push_and_die(registry, bundle, monkeypatch, 3 * CHUNK)
    (upload,) = registry.uploads.values()
    upload[5] ^= 1
    said: list[str] = []
    pushed = push_bundle(bundle, f"{registry.host}/study", tell=said.append)
    assert "the registry does not take what an earlier `rtrace push` began; it begins anew" in said
    assert registry.blobs[pushed.content.digest] == bundle.read_bytes()


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "x" * 100_000,
        '{"location": 7, "done": 1}',
        '{"location": "file:///etc/passwd", "done": 1}',
        '{"location": "http://169.254.169.254/", "done": 1}',
        '{"location": "http://127.0.0.1:1/", "done": 1}',
    ],
)
def test_state_that_makes_no_sense_is_passed_over(
    content: str, registry: OddRegistry, bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever is in the file about an upload, the bundle gets there."""
    push_and_die(registry, bundle, monkeypatch, 3 * CHUNK)
    (path,) = (tmp_path / "state").rglob("upload.json")
    path.write_text(content)
    pushed = push_bundle(bundle, f"{registry.host}/study")
    assert (pushed.resumed, registry.blobs[pushed.content.digest]) == (0, bundle.read_bytes())
    assert list_state(tmp_path) == []


def test_two_pushes_of_the_same_do_not_mix(registry: OddRegistry, bundle: Path) -> None:
    """Whoever comes second is told, and nothing is sent."""
    digest = digest_of(bundle.read_bytes())
    with (
        open_session(f"{registry.host}/study", digest),
        pytest.raises(BusyError, match=f"is in use by process {os.getpid()} of rtrace"),
    ):
        push_bundle(bundle, f"{registry.host}/study")
    assert registry.taken == 0
    push_bundle(bundle, f"{registry.host}/study")


def test_uploads_of_long_ago_are_forgotten(
    registry: OddRegistry, bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What no registry knows any more goes when something else is pushed; a newer one stays."""
    push_and_die(registry, bundle, monkeypatch, CHUNK)
    (folder,) = (tmp_path / "state/rtrace/uploads").iterdir()
    other = BundleMaker(tmp_path / "other", runnable=False).write(make_run(b"true"))
    push_bundle(other, f"{registry.host}/a")
    assert folder.exists()
    os.utime(folder, (1, 1))
    registry.blobs.clear()
    push_bundle(other, f"{registry.host}/b")
    assert not folder.exists()
    assert sessions.find_root().is_dir()


def test_registry_that_comes_back_is_waited_for(registry: OddRegistry, bundle: Path) -> None:
    """A registry that is away for a moment, and when it is asked what it has, gets the rest all the same."""
    away = [False, False, True, True, True, False]

    def rule(handler: Handler) -> bool | None:
        if not away or not away.pop(0):
            return True
        handler.take(bytearray())
        handler.respond(503)
        return None

    registry.add("PATCH", "/uploads/", rule)
    pushed = push_bundle(bundle, f"{registry.host}/study")
    assert away == []
    assert registry.blobs[pushed.content.digest] == bundle.read_bytes()


def test_registry_that_never_ends_an_upload_is_given_up(registry: OddRegistry, bundle: Path) -> None:
    """One that fails when all is there, and then knows nothing of it, does not get it all again and again."""

    def rule(handler: Handler) -> None:
        registry.uploads.clear()
        handler.respond(500)

    registry.add("PUT", "/uploads/", rule)
    with pytest.raises(RegistryError, match="does not take the bundle: 500 Internal Server Error"):
        push_bundle(bundle, f"{registry.host}/study")
    assert registry.taken == bundle.stat().st_size


def test_smaller_chunks_are_tried(registry: OddRegistry, bundle: Path) -> None:
    """A registry, or a server before it, that takes less at a time gets less at a time."""
    limit = CHUNK // 3

    def rule(handler: Handler) -> bool | None:
        if int(handler.headers["Content-Length"]) <= limit:
            return True
        handler.take(bytearray())
        handler.respond(413)
        return None

    registry.add("PATCH", "/uploads/", rule)
    pushed = push_bundle(bundle, f"{registry.host}/study")
    assert registry.blobs[pushed.content.digest] == bundle.read_bytes()


def test_larger_chunks_are_sent_as_long_as_they_are_taken(
    registry: OddRegistry, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Chunks grow, until one is refused, as GitHub's registry does: then they are as in the beginning."""
    monkeypatch.setattr(uploading, "_LARGEST_CHUNK", 64 * CHUNK)
    sizes: list[int] = []

    def rule(handler: Handler) -> bool | None:
        sizes.append(int(handler.headers["Content-Length"]))
        if sizes[-1] <= 2 * CHUNK:
            return True
        handler.take(bytearray())
        handler.fail(416, "REQUESTED_RANGE_NOT_SATISFIABLE", "the request body is too large")
        return None

    registry.add("PATCH", "/uploads/", rule)
    pushed = push_bundle(bundle, f"{registry.host}/study")
    assert registry.blobs[pushed.content.digest] == bundle.read_bytes()
    assert sizes[:2] == [CHUNK, 2 * CHUNK]
    assert sizes[2] > 2 * CHUNK
    assert max(sizes[3:]) <= CHUNK


@pytest.mark.parametrize(
    "minimum, chunk",
    [(str(2 * CHUNK), 2 * CHUNK), (str(9 * CHUNK), 3 * CHUNK), ("9" * 5000, CHUNK), ("-1", CHUNK), ("x", CHUNK)],
)
def test_minimum_of_a_registry_is_kept(
    minimum: str, chunk: int, registry: OddRegistry, bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """OCI-Chunk-Min-Length makes chunks larger, up to a limit."""
    monkeypatch.setattr(uploading, "_LARGEST_CHUNK", 3 * CHUNK)
    sizes: list[int] = []

    def begin(handler: Handler) -> None:
        registry.uploads["/v2/study/blobs/uploads/own"] = bytearray()
        handler.respond(202, {"Location": "/v2/study/blobs/uploads/own", "OCI-Chunk-Min-Length": minimum})

    def rule(handler: Handler) -> bool:
        sizes.append(int(handler.headers["Content-Length"]))
        return True

    registry.add("POST", "/uploads/", begin)
    registry.add("PATCH", "/uploads/", rule)
    push_bundle(bundle, f"{registry.host}/study")
    assert sizes[0] == chunk


def test_registry_that_keeps_something_else_is_told(registry: OddRegistry, bundle: Path) -> None:
    """A digest of the manifest other than its own is not printed as the bundle's."""
    registry.add(
        "PUT", "/manifests/", lambda handler: handler.respond(201, {"Docker-Content-Digest": "sha256:x\x1b[1m"})
    )
    with pytest.raises(RegistryError, match=r"keeps the manifest as sha256:x\\x1b\[1m instead of sha256:") as caught:
        push_bundle(bundle, f"{registry.host}/study")
    assert str(caught.value).isprintable()


def test_manifest_says_what_the_bundle_does(registry: OddRegistry, bundle: Path) -> None:
    """Title, time and identity are the bundle's own."""
    pushed = push_bundle(bundle, f"{registry.host}/study")
    assert json.loads(registry.manifests["latest"])["annotations"] == {
        "org.opencontainers.image.created": "1970-01-01T00:00:02Z",
        "org.opencontainers.image.title": "sh -c 'cat big' zero",
        "rtrace.bundle.identity": pushed.identity,
    }
