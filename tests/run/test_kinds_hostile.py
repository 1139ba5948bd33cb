"""Contents that are made to break whoever reads them: no wrong verdict, and bounded time and memory, for each kind."""

import gzip
import io
import os
import pickle
import resource
import struct
import sys
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from kind_pairs import TRIOS, run
from rtrace.verify.judging.apart import Apart
from rtrace.verify.kinds.model import Rule

SECONDS, MEMORY = 30.0, 2 << 30
"""What one comparison may take here; far less than in a verification."""
LAUGHS = b"<?xml version='1.0'?><!DOCTYPE a [<!ENTITY a 'ha'>" + b"".join(
    b"<!ENTITY %c '%s'>" % (letter + 1, b"&%c;" % letter * 10) for letter in range(ord("a"), ord("k"))
)


def png(size: int, last: bytes = b"\0") -> bytes:
    """Return a picture that says it is very large, and has very little."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    header = struct.pack(">IIBBBBB", size, size, 8, 2, 0, 0, 0)
    start = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header)
    return start + chunk(b"IDAT", zlib.compress(bytes(16 << 20) + last, 9)) + chunk(b"IEND", b"")


def zipped(content: bytes, name: str = "a") -> bytes:
    """Return a zip of one member."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return file.getvalue()


class Evil:
    """What leaves a file behind when it is loaded."""

    def __reduce__(self) -> tuple[Callable[..., object], tuple[str]]:
        """Name what loading would do."""
        return os.system, (f"touch {MARK}",)


MARK = "/var/tmp/rtrace-a-pickle-was-loaded"
ZEROS = gzip.compress(bytes(16 << 20), mtime=0)
CONTENTS: dict[str, tuple[bytes, str]] = {
    "a gigabyte in gzip": (ZEROS * 64, "a.gz"),
    "three gigabytes in gzip in gzip": (gzip.compress(ZEROS * 192, mtime=0), "a.gz"),
    "a bomb in a zip": (zipped(ZEROS * 192, "a.gz"), "a.zip"),
    "a zip as a workbook": (zipped(b"<a/>" * 1000, "xl/workbook.xml"), "a.xlsx"),
    "laughs in XML": (LAUGHS + b"]><a>&k;</a>", "a.xml"),
    "laughs in SVG": (LAUGHS.replace(b"DOCTYPE a", b"DOCTYPE svg") + b"]><svg>&k;</svg>", "a.svg"),
    "deep XML": (b"<?xml version='1.0'?>" + b"<a>" * 200_000 + b"</a>" * 200_000, "a.xml"),
    "deep JSON": (b"[" * 1_000_000 + b"]" * 1_000_000, "a.json"),
    "deep YAML": (b"a: " + b"[" * 20_000 + b"]" * 20_000, "a.yml"),
    "a line of 16 MiB": (b"1 " * (8 << 20), "a.txt"),
    "a line of digits": (b"1" * (8 << 20), "a.txt"),
    "a table of one row": (b"1," * (4 << 20) + b"\n" + b"1," * (4 << 20), "a.csv"),
    "a PNG of 900 million pixels": (png(30_000), "a.png"),
    "an array of objects": (
        b"\x93NUMPY\x01\0" + struct.pack("<H", 64) + b"{'descr': '|O', 'fortran_order': False, 'shape': (1,)}".ljust(64)
        + pickle.dumps([Evil()]), "a.npy"),
    "a pickle that does something": (pickle.dumps(Evil(), 4), "a.pickle"),
    "FITS of a size that nobody has": (
        b"SIMPLE  =                    T".ljust(80) + b"BITPIX  =                  -64".ljust(80)
        + b"NAXIS   =                    1".ljust(80) + b"NAXIS1  =        9000000000000".ljust(80)
        + b"END".ljust(2880 - 320), "a.fits"),
    "a name that is hostile": (b"x\n", "\x1b[31m\n<script>.txt"),
}  # fmt: skip


OTHERS = {"a PNG of 900 million pixels": png(30_000, b"\1")}
"""Those whose last byte means nothing."""


@pytest.mark.parametrize("name", CONTENTS)
def test_no_wrong_verdict_in_bounded_time_and_memory(name: str, tmp_path: Path) -> None:
    """Beside the same with another byte at its end: different, or unknown with a reason, and the next one is judged."""
    content, file = CONTENTS[name]
    expected, found = tmp_path / "expected", tmp_path / "found"
    expected.write_bytes(content)
    found.write_bytes(OTHERS.get(name, content[:-1] + bytes([content[-1] ^ 1]) + b"?"))
    with Apart(SECONDS, MEMORY) as apart:
        judgement = apart.judge(expected, found, Rule(), os.fsencode(file))
        assert judgement.likeness in {"different", "unknown"}, judgement
        assert judgement.place or judgement.note
        expected.write_bytes(b"1.0\n")
        found.write_bytes(b"1.00\n")
        assert apart.judge(expected, found, Rule(), b"out").likeness == "equal"
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024 < MEMORY
    assert not Path(MARK).exists()


@pytest.mark.parametrize(
    "trio", ["HDF5 by h5py", "Parquet by DuckDB", "PDF by matplotlib", "NetCDF 3", "TIFF by Pillow"]
)
def test_what_is_damaged_is_never_the_same(trio: str, tmp_path: Path) -> None:
    """Cut off, or with ones in the place of a part: another verdict than equal, and no crash that is not told."""
    pytest.importorskip(TRIOS[trio].needs[0], reason="needs rtrace-repro[compare]")
    TRIOS[trio].make(tmp_path)
    whole = tmp_path / f"one{TRIOS[trio].ending}"
    content = whole.read_bytes()
    damaged = tmp_path / "damaged"
    middle = len(content) // 2
    with Apart(SECONDS, MEMORY) as apart:
        for changed in (content[:middle], content[: len(content) // 8], content[:64] + b"\xff" * 256 + content[320:]):
            damaged.write_bytes(changed)
            judgement = apart.judge(whole, damaged, Rule(), b"out")
            assert judgement.likeness in {"different", "unknown"}, judgement
            assert judgement.place or judgement.note


def test_other_files_are_not_opened(tmp_path: Path) -> None:
    """HDF5 that has its values in another file of the machine shows nothing of it."""
    pytest.importorskip("h5py", reason="needs rtrace-repro[compare]")
    (tmp_path / "secret").write_bytes(b"hunter2!")
    (tmp_path / "other").write_bytes(b"hunter3!")
    for name, source in (("one", "secret"), ("two", "other")):
        run(
            sys.executable,
            "-c",
            f"import h5py\nwith h5py.File('{name}', 'w') as file:\n    file.create_dataset('v', (8,), 'S1',"
            f" external=[('{tmp_path / source}', 0, 8)])",
            folder=tmp_path,
        )
    with Apart(SECONDS, MEMORY) as apart:
        judgement = apart.judge(tmp_path / "one", tmp_path / "two", Rule(), b"out")
    assert judgement.likeness == "different"
    assert "other files, which are not opened" in judgement.note
    assert "hunter" not in f"{judgement.expected}{judgement.found}"
