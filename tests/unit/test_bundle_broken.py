"""What is no bundle, or no longer a whole one, is refused in one sentence that says so."""

import collections
import gzip
import hashlib
import io
import random
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard

from bundle_samples import MANIFEST, Sample, make_bundle
from rtrace.bundle import members, tar
from rtrace.bundle.index.buffer import LineFile
from rtrace.errors import BundleError, HostileBundleError
from rtrace.manifest.render import render
from rtrace.opening import open_bundle


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Sample:
    """One whole bundle for all tests of this module, which break copies of it."""
    return make_bundle(tmp_path_factory.mktemp("sample"))


def read_all(path: Path) -> None:
    """Use everything that a bundle offers."""
    with open_bundle(path) as bundle:
        bundle.check()
        for entry in bundle.entries:
            if entry.offset is not None:
                for _ in bundle.read_file(entry.path):
                    pass
        bundle.read_records()
        bundle.extract_trace(path.with_suffix(".sqlite3"))


def take_apart(path: Path) -> dict[str, bytes]:
    """Read the members of a bundle with the standard library."""
    with tarfile.open(path) as outer:
        found = {member.name: outer.extractfile(member) for member in outer}
        return {name: file.read() for name, file in found.items() if file is not None}


def put_together(path: Path, parts: dict[str, bytes], *, sign: bool = True) -> Path:
    """Write members as a bundle, with the manifest's identity; signed, the manifest has the digests that fit."""
    if sign:
        digests = {
            name: hashlib.sha256(parts[name]).hexdigest() for name in (*members.DIGESTED, *members.DIGESTED_IF_THERE)
        }
        head = render(MANIFEST)
        lines = "".join(f"  {name}: {digest}\n" for name, digest in digests.items())
        parts = {**parts, members.MANIFEST: f"{head}digests:\n{lines}".encode()}
    if members.IDENTITY in parts and members.MANIFEST in parts:
        identity = hashlib.sha256(parts[members.MANIFEST]).hexdigest()
        parts = {**parts, members.IDENTITY: (members.IDENTITY_TEXT % identity).encode()}
    whole = io.BytesIO()
    for name, content in parts.items():
        whole.write(tar.header(name.encode(), tar.REGULAR, len(content)) + content + tar.padding(len(content)))
    path.write_bytes(whole.getvalue() + tar.END)
    return path


def test_what_the_helpers_write_is_a_bundle(sample: Sample, tmp_path: Path) -> None:
    """Taken apart and put together again, a bundle is whole: the failures below come from what is broken there."""
    read_all(put_together(tmp_path / "b.rpz", take_apart(sample.path)))


@pytest.mark.parametrize(
    "content, sentence",
    [
        (b"", "is empty"),
        (b"hello", "is not a bundle"),
        (bytes(4096), "is not a bundle"),
        (random.Random(1).randbytes(100_000), "is not a bundle"),  # noqa: S311
        (b"PK\3\4" + bytes(1000), "is not a bundle"),
        (gzip.compress(b"nothing", mtime=0), "is not a bundle"),
        (gzip.compress(b"nothing", mtime=0)[:15], "is not a bundle"),
    ],
)
def test_what_is_no_bundle(content: bytes, sentence: str, tmp_path: Path) -> None:
    """Any other file is said not to be a bundle."""
    path = tmp_path / "x.rpz"
    path.write_bytes(content)
    with pytest.raises(BundleError, match=sentence):
        open_bundle(path)


def test_no_file(tmp_path: Path) -> None:
    """A bundle that does not exist, and one that is a folder, are told in a sentence."""
    with pytest.raises(BundleError, match=r"cannot open .*No such file"):
        open_bundle(tmp_path / "no.rpz")
    with pytest.raises(BundleError, match=r"cannot open .*directory"):
        open_bundle(tmp_path)


@pytest.mark.parametrize(
    "there, told",
    [
        (["study.rpz", "other.rpz"], "; did you mean study.rpz?"),
        (["experiment-of-monday.rpz", "x.csv"], "; there is experiment-of-monday.rpz"),
        (["x.csv"], "; `rtrace pack` makes a bundle of what was traced"),
        (None, "; there is no folder "),
    ],
)
def test_a_name_that_is_misspelt_is_set_right(there: list[str] | None, told: str, tmp_path: Path) -> None:
    """Of a bundle that is not there, the sentence says what is, or what to do."""
    folder = tmp_path / "papers"
    if there is not None:
        folder.mkdir()
        for name in there:
            (folder / name).touch()
    for name in ("sutdy", "sutdy.rpz"):
        with pytest.raises(BundleError) as caught:
            open_bundle(folder / name)
        assert f"No such file or directory{told}" in str(caught.value)


def test_a_full_disk_does_not_hide_what_went_wrong() -> None:
    """Lines that are given up are not written to their end: that error would stand in the place of the first one."""
    lines = LineFile(Path("/dev/full"))
    lines.write("a line that is buffered\n")
    lines.close()


def test_another_tar_is_not_a_bundle(tmp_path: Path) -> None:
    """A tar of something else is said not to be a bundle."""
    path = tmp_path / "x.tar"
    with tarfile.open(path, "w") as archive:
        archive.addfile(tarfile.TarInfo("README"))
    with pytest.raises(BundleError, match="is not a bundle"):
        open_bundle(path)


def test_newer_bundle_asks_for_an_update(tmp_path: Path) -> None:
    """A bundle of a later format is refused by its version, before anything else of it is looked at."""
    path = tmp_path / "new.rpz"
    put_together(path, {members.VERSION: b"RTRACE BUNDLE 12\n", "METADATA/other": b"x"}, sign=False)
    with pytest.raises(BundleError, match=r"made by a newer rtrace \(bundle format 12\); update rtrace"):
        open_bundle(path)


@pytest.mark.parametrize(
    "text", [b"RTRACE BUNDLE 0\n", b"RTRACE BUNDLE x\n", b"RTRACE BUNDLE 1", b"RTRACE BUNDLE 1 \n"]
)
def test_versions_that_never_were(text: bytes, tmp_path: Path) -> None:
    """A version text that no rtrace writes is refused."""
    path = put_together(tmp_path / "x.rpz", {members.VERSION: text}, sign=False)
    with pytest.raises(BundleError):
        open_bundle(path)


@pytest.mark.parametrize("length", [len(members.VERSION_TEXT) + 1, 1 << 40])
def test_version_that_goes_on_is_refused(length: int, sample: Sample, tmp_path: Path) -> None:
    """A version member with more in it than the version is refused by its size, a terabyte of holes included."""
    content = sample.path.read_bytes()
    end = tar.BLOCK + len(members.VERSION_TEXT) + len(tar.padding(len(members.VERSION_TEXT)))
    path = tmp_path / "x.rpz"
    with path.open("wb") as file:
        file.write(tar.header(members.VERSION.encode(), tar.REGULAR, length) + members.VERSION_TEXT)
        file.seek(tar.BLOCK + length + len(tar.padding(length)))
        file.write(content[end:])
    with pytest.raises(BundleError, match=f"{members.VERSION} is larger than any that rtrace writes"):
        open_bundle(path)


def test_cut_off_anywhere(sample: Sample, tmp_path: Path) -> None:
    """Cut off within or after any member, a bundle is said to be cut off, without looking at its data."""
    whole = sample.path.read_bytes()
    path = tmp_path / "cut.rpz"
    chance = random.Random(7)  # noqa: S311
    lengths = {1, 100, 511, 512, 513, 520, 1024, 1500, 2048, len(whole) - 1, len(whole) - 512, len(whole) - 1024}
    lengths |= {chance.randrange(1, len(whole)) for _ in range(40)}
    for length in sorted(lengths):
        path.write_bytes(whole[:length])
        with pytest.raises(BundleError, match="is cut off"):
            open_bundle(path)


def test_something_after_the_end(sample: Sample, tmp_path: Path) -> None:
    """What was put behind a bundle is noticed."""
    path = tmp_path / "more.rpz"
    path.write_bytes(sample.path.read_bytes() + b"x")
    with pytest.raises(BundleError, match="something after its last member"):
        open_bundle(path)


def test_every_flipped_byte_is_found(sample: Sample, tmp_path: Path) -> None:
    """A change of one byte, wherever it is, is found when the whole bundle is checked, or the identity is another."""
    whole = sample.path.read_bytes()
    path = tmp_path / "flipped.rpz"
    chance = random.Random(11)  # noqa: S311
    places = {0, 512, 1024, len(whole) - 1, len(whole) - 1025, len(whole) - 1030}
    places |= {chance.randrange(len(whole)) for _ in range(60)}
    places |= {chance.randrange(20_000) for _ in range(60)}
    for place in sorted(places):
        broken = bytearray(whole)
        broken[place] ^= 1 << chance.randrange(8)
        path.write_bytes(broken)
        try:
            read_all(path)
        except BundleError:
            pass
        else:
            with open_bundle(path) as bundle:
                assert bundle.identity != sample.identity, place
        path.with_suffix(".sqlite3").unlink(missing_ok=True)


@pytest.mark.parametrize("name", members.MEMBERS)
def test_members_missing_or_out_of_order(name: str, sample: Sample, tmp_path: Path) -> None:
    """Each member has to be there, once, and in its place."""
    parts = take_apart(sample.path)
    without = {key: value for key, value in parts.items() if key != name}
    path = put_together(tmp_path / "x.rpz", without, sign=False)
    if name != members.IDENTITY:  # the first bundles had none
        with pytest.raises(BundleError):
            open_bundle(path)
    path = put_together(tmp_path / "y.rpz", {**without, name: parts[name]}, sign=False)
    if name != members.DATA:
        with pytest.raises(BundleError):
            open_bundle(path)


def replaced(name: str, change: Callable[[bytes], bytes]) -> Callable[[Sample, Path], Path]:
    """Make a breaker: a bundle whose member was changed, with a digest that fits the change."""

    def write(sample: Sample, path: Path) -> Path:
        parts = take_apart(sample.path)
        return put_together(path, {**parts, name: change(parts[name])})

    return write


def recompressed(change: Callable[[bytes], bytes]) -> Callable[[bytes], bytes]:
    """Change what a compressed member holds."""
    return lambda content: zstandard.compress(change(zstandard.decompress(content)))


def swap(old: bytes, new: bytes) -> Callable[[bytes], bytes]:
    """Replace some text, which has to be there."""

    def change(content: bytes) -> bytes:
        assert old in content
        return content.replace(old, new)

    return change


BOMB = zstandard.compress(bytes(300 << 20))

BROKEN: dict[str, tuple[str, Callable[[bytes], bytes], str]] = {
    "index that is no zstd": (members.FILES, lambda _: b"x" * 100, "not a zstd frame"),
    "index that is a bomb": (members.FILES, lambda _: BOMB, "314572800 bytes long when decompressed"),
    "records that are a bomb": (members.RECORDS, lambda _: BOMB, "314572800 bytes long when decompressed"),
    "results that are a bomb": (members.RESULTS, lambda _: BOMB, "314572800 bytes long when decompressed"),
    "index that hides its size": (
        members.FILES,
        lambda _: zstandard.ZstdCompressor(write_content_size=False).compress(b"{}\n" * 9),
        "does not tell its size",
    ),
    "index without its last line": (members.FILES, recompressed(lambda text: text[:-9]), "last line is cut off"),
    "index that is no JSON": (members.FILES, recompressed(lambda _: b"{\n"), "line 1 is not JSON"),
    "index that is no UTF-8": (members.FILES, recompressed(lambda _: b'"\xff"\n'), "line 1 is not UTF-8"),
    "line that is a list": (members.FILES, recompressed(lambda _: b"[]\n"), "not one JSON object"),
    "line with two objects": (members.FILES, recompressed(lambda text: text[:-1] + b"{}\n"), "not one JSON object"),
    "line nested deeply": (
        members.FILES,
        recompressed(lambda _: b'{"path":' + b"[" * 200_000 + b"]" * 200_000 + b"}\n"),
        "nested too deeply",
    ),
    "number by the thousand": (
        members.FILES,
        recompressed(lambda _: b'{"mode":' + b"9" * 20_000 + b"}\n"),
        "too large|no path",
    ),
    "not a number": (members.FILES, recompressed(lambda _: b'{"mode":NaN}\n'), "NaN"),
    "key twice": (members.FILES, recompressed(swap(b'{"gid":0', b'{"gid":0,"gid":0')), "a key twice"),
    "unknown key": (members.FILES, recompressed(swap(b'{"gid":0', b'{"acl":1,"gid":0')), "the unknown key 'acl'"),
    "no path": (members.FILES, recompressed(swap(b'"path":"/data"', b'"reason":"x"')), "no path"),
    "path that is a number": (members.FILES, recompressed(swap(b'"path":"/data"', b'"path":1')), "not a byte string"),
    "path with a surrogate": (
        members.FILES,
        recompressed(swap(b'"path":"/data"', b'"path":"/\\ud800"')),
        "not a byte string",
    ),
    "path that is no base64": (members.FILES, recompressed(swap(b'"base64":"', b'"base64":"!')), "not a byte string"),
    "mode that is true": (members.FILES, recompressed(swap(b'"mode":493', b'"mode":true')), "no integer mode"),
    "placeholder that is a number": (
        members.FILES,
        recompressed(swap(b'"placeholder":true', b'"placeholder":1')),
        "neither true nor false",
    ),
    "entry left out": (
        members.FILES,
        recompressed(lambda text: b"\n".join(line for line in text.split(b"\n") if b"/data/fifo" not in line)),
        "offset of|not as long",
    ),
    "offset elsewhere": (members.FILES, recompressed(swap(b'"offset":1', b'"offset":2')), "the offset of"),
    "other size": (members.FILES, recompressed(swap(b'"size":11000000', b'"size":10999999')), "does not agree"),
    "other owner": (members.FILES, recompressed(swap(b'"uid":1000', b'"uid":0')), "does not agree with the index"),
    "other link": (
        members.FILES,
        recompressed(swap(b"../nowhere", b"/nowhere/!")),
        "does not agree with the index",
    ),
    "result of no run": (members.RESULTS, recompressed(swap(b'"run1"', b'"run2"')), "does not know"),
    "result without type": (members.RESULTS, recompressed(swap(b'"type":null', b'"size":1')), "no type"),
    "data without seek table": (members.DATA, lambda data: data[:-9], "does not end in a seek table"),
    "data that is empty": (members.DATA, lambda _: b"", "does not end in a seek table"),
    "seek table longer than all": (
        members.DATA,
        lambda data: data[:-9] + b"\xff\xff\xff\x7f" + data[-5:],
        "longer than all",
    ),
    "seek table without beginning": (
        members.DATA,
        lambda data: data[:-33] + bytes(8) + data[-25:],
        "seek table",
    ),
    "frames in another order": (members.DATA, lambda data: data[100:200] + data[:100] + data[200:], "frame"),
}


@pytest.mark.parametrize("name", sorted(BROKEN))
def test_members_that_are_not_what_they_should_be(name: str, sample: Sample, tmp_path: Path) -> None:
    """A member that was changed, digests included, is refused for what is wrong with it."""
    member, change, sentence = BROKEN[name]
    path = replaced(member, change)(sample, tmp_path / "broken.rpz")
    with pytest.raises(BundleError, match=sentence) as caught:
        read_all(path)
    assert str(caught.value).startswith(str(path))


def test_devices_are_refused(sample: Sample, tmp_path: Path) -> None:
    """A kind of file that no bundle may hold is refused as hostile."""
    path = replaced(members.FILES, recompressed(swap(b'"type":"fifo"', b'"type":"block"')))(sample, tmp_path / "d.rpz")
    with open_bundle(path) as bundle, pytest.raises(HostileBundleError, match="/data/fifo as a 'block'"):
        _ = bundle.entries


def test_content_that_is_another_is_found_while_it_is_read(sample: Sample, tmp_path: Path) -> None:
    """Content that does not have its digest is refused, when streamed and when read alone."""
    parts = take_apart(sample.path)
    digest = hashlib.sha256(b"content\n").hexdigest().encode()
    files = recompressed(swap(digest, b"0" * 64))(parts[members.FILES])
    path = put_together(tmp_path / "x.rpz", {**parts, members.FILES: files})
    with open_bundle(path) as bundle:
        with pytest.raises(BundleError, match="content of /data/small is not what was packed"):
            collections.deque((list(parts) for _, parts in bundle.stream_data()), maxlen=0)
        with pytest.raises(BundleError, match="content of /data/small is not what was packed"):
            list(bundle.read_file(b"/data/small"))


@pytest.mark.parametrize(
    "text, sentence",
    [
        (b"", "manifest is empty"),
        (b"version: 9\n", "newer rtrace"),
        (b"\xff", "not UTF-8"),
        (b"version: 1\nrtrace: x\nruns: []\n", "lacks the digest"),
        (b"a: &a [x]\nb: *a\n", "anchors and aliases"),
    ],
)
def test_manifests_that_are_none(text: bytes, sentence: str, sample: Sample, tmp_path: Path) -> None:
    """A bundle whose manifest cannot be used is refused when it is opened."""
    parts = {**take_apart(sample.path), members.MANIFEST: text}
    path = put_together(tmp_path / "x.rpz", parts, sign=False)
    with pytest.raises(BundleError, match=sentence):
        open_bundle(path)


def test_trace_is_extracted_whole_or_not_at_all(sample: Sample, tmp_path: Path) -> None:
    """A trace that was tampered with is not left on the disk, and no file is written over."""
    parts = take_apart(sample.path)
    path = put_together(tmp_path / "x.rpz", {**parts, members.TRACE: b"another"}, sign=False)
    with open_bundle(path) as bundle:
        with pytest.raises(BundleError, match=r"trace.sqlite3 is not what was packed"):
            bundle.extract_trace(tmp_path / "trace")
        assert not (tmp_path / "trace").exists()
    shutil.copy(sample.path, path)
    (tmp_path / "trace").write_text("mine")
    with open_bundle(path) as bundle, pytest.raises(BundleError, match="exists already"):
        bundle.extract_trace(tmp_path / "trace")
    assert (tmp_path / "trace").read_text() == "mine"
