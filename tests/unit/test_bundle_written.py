"""What the runs wrote travels in a bundle by its digest, and is proven like everything else in it."""

import hashlib
import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundle_samples import WRITTEN, make_bundle
from rtrace.bundle import tar
from rtrace.bundle.data.archive import ArchiveReader, ArchiveWriter
from rtrace.bundle.written.lines import dump_content, lay_out, load_contents, prove_layout
from rtrace.bundle.written.reading import WrittenReader
from rtrace.bundle.written.writing import WrittenContents, digest_blocks
from rtrace.bundle.written_content import BLOCK_SIZE, WrittenContent
from rtrace.errors import BundleError, HostileBundleError
from rtrace.opening import open_bundle
from rtrace.reprozip.writing.reprozip_writer import write_reprozip


def digest(content: bytes) -> str:
    """Return the SHA-256 of bytes."""
    return hashlib.sha256(content).hexdigest()


def write(folder: Path, *contents: bytes) -> tuple[list[bytes], Path]:
    """Write contents; return their lines and the archive."""
    folder.mkdir(exist_ok=True)
    written = WrittenContents(folder)
    for content in contents:
        written.add(digest(content), content)
    written.finish()
    lines = [dump_content(written._found[sha256]).encode() for sha256 in sorted(written._found)]
    return lines, written.path


def read(lines: list[bytes], archive: bytes) -> WrittenReader:
    """Open lines and an archive for reading."""
    return WrittenReader(lines, ArchiveReader(io.BytesIO(archive), 0, len(archive)), 1 << 20)


def test_what_was_written_comes_back(tmp_path: Path) -> None:
    """From a bundle, and from the same one in ReproZip's format; of nothing else is anything known."""
    sample = make_bundle(tmp_path)
    other = tmp_path / "other.rpz"
    with open_bundle(sample.path) as opened:
        write_reprozip(opened, other)
    for path, known in ((sample.path, WRITTEN), (other, WRITTEN[:1])):  # no stream of this run has a digest
        with open_bundle(path) as opened:
            for content in known:
                found = opened.find_written(digest(content))
                assert found is not None
                assert b"".join(opened.read_written(found)) == content
            assert opened.find_written(digest(b"something else")) is None
            opened.check()


def test_each_content_is_there_once_and_empty_ones_are_not(tmp_path: Path) -> None:
    """Contents have no names."""
    written = WrittenContents(tmp_path)
    for content in (b"a", b"a", b""):
        written.add(digest(content), content)
    assert len(written) == 1
    assert digest(b"a") in written
    assert written.finish()[1] is not None
    empty = WrittenContents(tmp_path / "nowhere")
    assert empty.finish() == (b"", None)


@given(st.lists(st.binary(min_size=1, max_size=700), max_size=6))
def test_all_contents_come_back(tmp_path_factory: pytest.TempPathFactory, contents: list[bytes]) -> None:
    """Each at its place, whatever comes before."""
    folder = tmp_path_factory.mktemp("contents")
    lines, path = write(folder, *contents)
    if not contents:
        assert not path.exists()
        return
    reader = read(lines, path.read_bytes())
    for content in contents:
        assert b"".join(reader.read(reader.contents[digest(content)])) == content
    reader.check()


def test_blocks_of_a_content(tmp_path: Path) -> None:
    """Whatever the parts in which it comes, the digests are those of blocks of 1 MiB."""
    content = bytes(range(256)) * (BLOCK_SIZE // 256) + b"rest"
    for step in (1 << 16, BLOCK_SIZE, 3 * BLOCK_SIZE, 777_777):
        parts = (content[at : at + step] for at in range(0, len(content), step))
        sha256, size, blocks = digest_blocks(parts)
        assert (sha256, size) == (digest(content), len(content))
        found = WrittenContent(sha256, size, None, blocks)
        assert found.find_block(0) == digest(content[:BLOCK_SIZE])
        assert found.find_block(1) == digest(b"rest")
        assert load_contents([dump_content(found).encode()]) == {sha256: found}
    reader = WrittenReader([dump_content(found).encode()], None, 1 << 20)
    with pytest.raises(BundleError, match="only digests"):
        b"".join(reader.read(found))
    assert tmp_path.is_dir()


A, B = sorted((digest(b"a"), digest(b"b")))
BAD_LINES = {
    "not JSON": b"{",
    "not UTF-8": b'{"offset":512,"sha256":"\xff","size":1}',
    "a list": b"[]",
    "no digest": b'{"offset":512,"sha256":"A","size":1}',
    "empty": f'{{"offset":512,"sha256":"{A}","size":0}}'.encode(),
    "too large": f'{{"offset":512,"sha256":"{A}","size":{1 << 62}}}'.encode(),
    "a negative offset": f'{{"offset":-1,"sha256":"{A}","size":1}}'.encode(),
    "a true offset": f'{{"offset":true,"sha256":"{A}","size":1}}'.encode(),
    "neither content nor blocks": f'{{"sha256":"{A}","size":1}}'.encode(),
    "both": f'{{"blocks":"{A}","offset":512,"sha256":"{A}","size":1}}'.encode(),
    "blocks of another size": f'{{"blocks":"{A}{A}","sha256":"{A}","size":1}}'.encode(),
    "blocks that are none": f'{{"blocks":"{"Z" * 64}","sha256":"{A}","size":1}}'.encode(),
    "a key twice": f'{{"offset":512,"offset":512,"sha256":"{A}","size":1}}'.encode(),
    "deep": b"[" * 100_000,
}


@pytest.mark.parametrize("line", BAD_LINES.values(), ids=BAD_LINES)
def test_lines_that_are_refused(line: bytes) -> None:
    """Each is a sentence."""
    with pytest.raises(BundleError, match=r"line 1|a key twice"):
        load_contents([line])


def test_lines_out_of_order_are_refused() -> None:
    """The same content twice, too."""
    lines = [dump_content(WrittenContent(sha256, 1, 512)).encode() for sha256 in (B, A, A)]
    for chosen in (lines[:2], lines[1:]):
        with pytest.raises(BundleError, match="line 2 is not in its place"):
            load_contents(chosen)


def test_places_that_cannot_be_are_refused() -> None:
    """Contents that overlap, or leave a gap."""
    for offsets in ((512, 512), (512, 1024), (512, 2048), (0, 1536), (1024, 2048)):
        contents = [WrittenContent(sha256, 1, offset) for sha256, offset in zip((A, B), offsets, strict=True)]
        with pytest.raises(HostileBundleError, match="cannot be"):
            prove_layout(contents)
    assert prove_layout([WrittenContent(A, 1, 512), WrittenContent(B, 1, 1536)]) == 2048


def test_an_archive_that_is_not_what_the_lines_say(tmp_path: Path) -> None:
    """Shorter, longer, absent, with another content, another header, or something in the padding."""
    lines, path = write(tmp_path / "good", b"one", b"two")
    archive = path.read_bytes()
    read(lines, archive).check()
    with pytest.raises(BundleError, match="not as long"):
        WrittenReader(lines, None, 1 << 20)
    with pytest.raises(BundleError, match="not as long"):
        read([line for line in lines if b'"offset":512,' in line], archive)
    with pytest.raises(BundleError, match="not as long"):
        read([], archive)
    plain = bytearray()
    for content, header in lay_out(load_contents(lines).values()):
        text = b"one" if content.sha256 == digest(b"one") else b"two"
        plain += header + text + tar.padding(len(text))
    plain += tar.END
    other = "something else"
    for place, complaint in ((512, "another digest"), (3, other), (600, other), (2048, other)):
        changed = bytearray(plain)
        changed[place] ^= 1
        folder = tmp_path / str(place)
        folder.mkdir()
        reader = read(lines, make_archive(bytes(changed), folder))
        with pytest.raises(BundleError, match=complaint):
            reader.check()


def make_archive(content: bytes, folder: Path) -> bytes:
    """Return an archive with a content."""
    with (folder / "made").open("w+b") as file:
        writer = ArchiveWriter(file)
        writer.write(content)
        writer.finish()
    return (folder / "made").read_bytes()
