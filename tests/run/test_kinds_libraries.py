"""Contents that a library reads: pictures, PDF, HDF5 and Parquet, made by real programs."""

import io
import subprocess
from pathlib import Path

import pytest

from rtrace.verify.judging.judging import Judging
from rtrace.verify.kinds.model import Judgement, Rule

np = pytest.importorskip("numpy", reason="needs rtrace-repro[compare]")
h5py = pytest.importorskip("h5py", reason="needs rtrace-repro[compare]")
duckdb = pytest.importorskip("duckdb", reason="needs rtrace-repro[compare]")
Image = pytest.importorskip("PIL.Image", reason="needs rtrace-repro[compare]")
pytest.importorskip("pypdfium2", reason="needs rtrace-repro[compare]")
EXACT = Rule()


def judge(expected: bytes, found: bytes, rule: Rule = EXACT) -> Judgement:
    """Compare two contents."""
    return Judging().judge(io.BytesIO(expected), io.BytesIO(found), rule, (b"out", b"out"))


def draw(form: str, pixel: tuple[int, int, int], **options: object) -> bytes:
    """Return a picture with one pixel of some colour."""
    picture = Image.new("RGB", (20, 10), (250, 240, 230))
    picture.putpixel((5, 6), pixel)
    file = io.BytesIO()
    picture.save(file, form, **options)
    return file.getvalue()


@pytest.mark.parametrize(
    "form, options, others",
    [
        ("PNG", {"compress_level": 1}, {"compress_level": 9}),
        ("TIFF", {}, {"compression": "tiff_lzw"}),
        ("BMP", {"dpi": (10, 10)}, {"dpi": (20, 20)}),
        ("GIF", {"comment": b"a"}, {"comment": b"b"}),
        ("WebP", {"lossless": True, "exif": b"a"}, {"lossless": True, "exif": b"b", "method": 0}),
        ("JPEG", {"comment": b"a", "quality": 95}, {"comment": b"b", "quality": 95}),
    ],
)
def test_pictures(form: str, options: dict[str, object], others: dict[str, object]) -> None:
    """Pixels count, and nothing else; where the first one differs is told."""
    one, other = draw(form, (9, 9, 9), **options), draw(form, (9, 9, 9), **others)
    assert one != other
    assert judge(one, other).likeness == "equal"
    judgement = judge(one, draw(form, (200, 9, 9), **others))
    assert judgement.likeness == "different"
    assert judgement.place.startswith("pixels ")
    if form in {"PNG", "TIFF", "BMP"}:
        assert (judgement.place, judgement.expected) == ("pixels 5,6 to 5,6", "(9, 9, 9) at 5,6")
        assert judge(one, draw(form, (10, 9, 9)), Rule(absolute=1)).likeness == "close"


def test_pictures_of_another_size() -> None:
    """Told by their sizes."""
    small = io.BytesIO()
    Image.new("RGB", (3, 3)).save(small, "PNG")
    assert judge(draw("PNG", (1, 1, 1)), small.getvalue()).place == "size or colours"


def make_hdf5(folder: Path, last: float, **options: object) -> bytes:
    """Return a file with groups, data sets, attributes and links."""
    path = folder / "made.h5"
    with h5py.File(path, "w") as file:
        file.attrs["unit"] = "m"
        group = file.create_group("runs/one")
        group.create_dataset("values", data=np.append(np.linspace(0, 1, 999), last), **options)
        group["names"] = np.array([b"a", b"b"])
        file["again"] = h5py.SoftLink("/runs/one")
        file["loop"] = file["runs"]
        file["runs/up"] = file["/"]
    return path.read_bytes()


def test_hdf5(tmp_path: Path) -> None:
    """Layout does not count; one number does, and its place is told; so does a name."""
    one = make_hdf5(tmp_path, 5.0)
    assert judge(one, make_hdf5(tmp_path, 5.0, chunks=(10,), compression="gzip")).likeness == "equal"
    judgement = judge(one, make_hdf5(tmp_path, 5.5, compression="gzip"))
    assert (judgement.likeness, judgement.expected, judgement.found) == ("different", "5.0", "5.5")
    assert judgement.place.endswith("/values[999]")
    assert judge(one, make_hdf5(tmp_path, 5.0000001), Rule(tolerance=1e-6)).likeness == "close"
    path = tmp_path / "other.h5"
    path.write_bytes(one)
    with h5py.File(path, "a") as file:
        file.attrs["unit"] = "km"
    assert judge(one, path.read_bytes()).place == "/@unit"


def make_parquet(folder: Path, value: float, compression: str = "snappy") -> bytes:
    """Return a table of 1,000 rows with one value in its last."""
    path = folder / "made.parquet"
    connection = duckdb.connect()
    connection.execute("CREATE TABLE made AS SELECT range AS a, (range / 7)::DOUBLE AS b FROM range(1000)")
    connection.execute("UPDATE made SET b = ? WHERE a = 999", [value])
    connection.table("made").to_parquet(str(path), compression=compression)
    connection.close()
    return path.read_bytes()


def test_parquet(tmp_path: Path) -> None:
    """Compression does not count, and a value does."""
    one = make_parquet(tmp_path, 5.0)
    assert judge(one, make_parquet(tmp_path, 5.0, "zstd")).likeness == "equal"
    judgement = judge(one, make_parquet(tmp_path, 5.5))
    assert (judgement.likeness, judgement.place) == ("different", "row 1000, column b")
    assert (judgement.expected, judgement.found) == ("5.0", "5.5")
    assert judge(one, make_parquet(tmp_path, 5.0000001), Rule(tolerance=1e-6)).likeness == "close"


DOCUMENT = r"""\documentclass{article}\begin{document}\pdfinfo{/Title (%s)}
Value: %s \hspace{1cm} \rule{%smm}{1mm}\end{document}"""


def make_pdf(folder: Path, title: str, value: str, width: int, date: str) -> bytes:
    """Return a PDF that LaTeX made at some date."""
    (folder / "a.tex").write_text(DOCUMENT % (title, value, width))
    subprocess.run(
        ["pdflatex", "-interaction=batchmode", "a.tex"],
        cwd=folder,
        env={"PATH": "/usr/bin:/bin", "HOME": str(folder), "SOURCE_DATE_EPOCH": date, "FORCE_SOURCE_DATE": "1"},
        capture_output=True,
        check=True,
    )
    return (folder / "a.pdf").read_bytes()


@pytest.mark.requires("pdflatex")
def test_pdf(tmp_path: Path) -> None:
    """Dates and titles do not count, a word and a line do."""
    one = make_pdf(tmp_path, "one", "17", 5, "1000000000")
    assert judge(one, make_pdf(tmp_path, "one", "17", 5, "1100000000")).likeness == "equal"
    assert judge(one, make_pdf(tmp_path, "another", "17", 5, "1100000000")).likeness == "equal"
    judgement = judge(one, make_pdf(tmp_path, "one", "18", 5, "1000000000"))
    assert judgement.likeness == "different"
    assert judgement.place.startswith("page 1, line 1")
    assert "17" in judgement.expected
    drawn = judge(one, make_pdf(tmp_path, "one", "17", 6, "1000000000"))
    assert (drawn.likeness, drawn.place.startswith("page 1, picture")) == ("different", True)
