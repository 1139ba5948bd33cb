# ruff: noqa: E501 -- programs, a line each
"""Files that real programs make: three of each kind, of which two say the same with other bytes and one does not."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

Make = Callable[[Path], None]


class Trio(NamedTuple):
    """How three files are made: ``one``, ``equal`` to it, and ``other``, which differs from it at a place.

    ``place`` is a regular expression; ``needs`` are modules and commands.
    """

    make: Make
    ending: str
    place: str
    needs: tuple[str, ...] = ()
    kind: str = ""


def run(*command: str, folder: Path, **environ: str) -> bytes:
    """Run a program in a folder."""
    done = subprocess.run(
        command, cwd=folder, env={**os.environ, "HOME": str(folder), **environ}, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def python(source: str, ending: str, place: str, *needs: str, kind: str = "") -> Trio:
    """Make the files by a program of Python; ``for name, variant, value in FILES`` goes through them."""
    head = "FILES = [('one', 0, 5), ('equal', 1, 5), ('other', 0, 6)]\n"

    def make(folder: Path) -> None:
        run(sys.executable, "-W", "ignore", "-c", head + source, folder=folder, MPLBACKEND="agg")

    return Trio(make, ending, place, needs, kind)


def shell(source: str, ending: str, place: str, *needs: str, kind: str = "") -> Trio:
    """Make the files by a script of the shell, which is run for each with its name, a variant and a value."""

    def make(folder: Path) -> None:
        for name, variant, value in (("one", "0", "5"), ("equal", "1", "5"), ("other", "0", "6")):
            run("sh", "-e", "-c", source, "sh", name, variant, value, folder=folder)

    return Trio(make, ending, place, needs, kind)


def r(source: str, ending: str, place: str, kind: str = "") -> Trio:
    """Make the files by a program of R."""
    loop = "for (i in 1:3) { name <- c('one','equal','other')[i]; variant <- c(0,1,0)[i]; value <- c(5,5,6)[i]\n"

    def make(folder: Path) -> None:
        run("Rscript", "-e", f"{loop}{source}\n}}", folder=folder)

    return Trio(make, ending, place, ("Rscript", "rdata") if not ending.endswith("csv") else ("Rscript",), kind)


_PLOT = """
import matplotlib, matplotlib.pyplot as plt
for name, variant, value in FILES:
    matplotlib.rcParams["svg.hashsalt"] = f"salt{variant}"
    plt.figure(figsize=(2, 1.5)); plt.plot([1, 2, value])
    plt.savefig(f"{name}.FORM", format="FORM", METADATA); plt.close()
"""


def plot(form: str, metadata: str, place: str) -> Trio:
    """Make the files by matplotlib."""
    return python(_PLOT.replace("FORM", form).replace("METADATA", metadata), f".{form}", place, "matplotlib")


TEX = (
    r"printf '\\documentclass{article}\\begin{document}Value: %s. A rule: \\rule{1cm}{1mm}\\end{document}' $3 > $1.tex; "
    "SOURCE_DATE_EPOCH=$((1000000000 + $2 * 99999999)) FORCE_SOURCE_DATE=1 pdflatex -interaction=batchmode $1.tex"
)
C = (
    "mkdir -p place$2; printf 'int main(void) { int x = %s; return x; }' $3 > place$2/a.c; "
    "cd place$2; gcc -g FLAGS -o ../$1ENDING a.c -Wl,--build-id=0x$2$2"
)
GIT = (
    "rm -rf r; git init -q r; cd r; mkdir d; echo $3 > d/a; echo x > b; git add .; "
    'GIT_COMMITTER_DATE="$((1000000000 + $2)) +0000" git -c user.name=a -c user.email=a@b commit -q -m m; '
)
NETCDF = """
import netCDF4
for name, variant, value in FILES:
    with netCDF4.Dataset(f"{name}.nc", "w", format="FORM") as file:
        if variant:
            file.createVariable("b", "i2", ())[...] = 7
        file.createDimension("t", None); file.createDimension("x", 3)
        file.title = "made"
        temperature = file.createVariable("temperature", "f4", ("t", "x"))
        temperature.units = "K"
        file.createVariable("t", "f8", ("t",))[:] = [0.5, 1.5]
        temperature[:] = [[1, 2, 3], [4, value, 6]]
        if not variant:
            file.createVariable("b", "i2", ())[...] = 7
"""

NBCONVERT = Path(__file__).resolve().parents[2] / ".bench/notebook/bin/jupyter-nbconvert"
NOTEBOOK = """
import json, subprocess
for name, variant, value in FILES:
    cells = [f"import sys, time\\nfor number in range({value}):\\n    print(number)", "0.25"]
    cells = [{"cell_type": "code", "execution_count": None, "metadata": {}, "outputs": [], "source": one, "id": f"c{variant}{at}"}
             for at, one in enumerate(cells)]
    with open(f"{name}.ipynb", "w") as file:
        json.dump({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}, file, indent=1 + variant)
    subprocess.run(["NBCONVERT", "--to", "notebook", "--execute", "--inplace", f"{name}.ipynb"], check=True)
"""

TRIOS: dict[str, Trio] = {
    "notebook by nbconvert": python(
        NOTEBOOK.replace("NBCONVERT", str(NBCONVERT)), ".ipynb", "/cells/0/(?:source|outputs)", str(NBCONVERT), kind="notebook"),
    "text by printf": shell(
        r"if [ $2 = 0 ]; then printf 'loss 0.5\nstep V\n'; else printf 'loss 0.50 \nstep V.0\n'; fi | sed s/V/$3/ > $1.txt",
        ".txt", "line 2"),
    "CSV by pandas": python(
        "import csv, pandas\nfor name, variant, value in FILES:\n    pandas.DataFrame({'a': [1, 2], 'b': [0.5, value]})"
        ".to_csv(f'{name}.csv', index=False, quoting=csv.QUOTE_ALL if variant else csv.QUOTE_MINIMAL)",
        ".csv", "row 3, column b", "pandas"),
    "CSV by R": r("write.csv(data.frame(a=1:2, b=c('x', value)), paste0(name, '.csv'), quote=variant == 0, row.names=FALSE)",
                  ".csv", "row 3, column b"),
    "TSV by awk": shell(
        "awk -v v=$3 -v f=$2 'BEGIN {print \"a\\tb\"; printf (f ? \"1\\t%.2f\\n\" : \"1\\t%d\\n\"), v; print \"3\\t4\"}' > $1.tsv",
        ".tsv", "row 2, column b"),
    "JSON by Python": python(
        "import json\nfor name, variant, value in FILES:\n    value = {'b': [1, value], 'a': 1}\n    with open(f'{name}.json', 'w') as file:"
        "\n        json.dump(value, file, sort_keys=bool(variant), indent=variant or None)", ".json", "/b/1"),
    "JSON by node": shell(
        'node -e "process.stdout.write(JSON.stringify({list: [{x: $3}], nan: null}, null, $2))" > $1.json',
        ".json", "/list/0/x", "node"),
    "JSON lines": shell(
        r"""if [ $2 = 0 ]; then printf '{"a": 1, "b": %s}\n{"c": 2}\n' $3 > $1.jsonl; """
        r"""else printf '{"b":%s,"a":1}\n{"c":2}\n' $3 > $1.jsonl; fi""",
        ".jsonl", "/0/b", kind="JSON"),
    "YAML by PyYAML": python(
        "import yaml\nfor name, variant, value in FILES:\n    with open(f'{name}.yml', 'w') as file:\n        "
        "yaml.safe_dump({'b': [1, value], 'a': 'x'}, file, default_flow_style=bool(variant))", ".yml", "/0/b/1"),
    "XML by Python": python(
        "import xml.etree.ElementTree as ET\nfor name, variant, value in FILES:\n    root = ET.Element('a')\n"
        "    ET.SubElement(root, 'b', {'y': '2', 'x': str(value)} if variant else {'x': str(value), 'y': '2'})\n"
        "    if variant: ET.indent(root)\n    ET.ElementTree(root).write(f'{name}.xml', xml_declaration=True, encoding='utf-8')",
        ".xml", "/elements/0/attributes/x"),
    "npy by NumPy": python(
        "import numpy\nfor name, variant, value in FILES:\n    array = numpy.array([[1., 2.], [3., value]])\n    "
        "numpy.save(f'{name}.npy', numpy.asfortranarray(array) if variant else array)", ".npy", r"\[1, 1\]", "numpy"),
    "records by NumPy": python(
        "import numpy\nfor name, variant, value in FILES:\n    kinds = [('a', 'f8'), ('b', 'U3'), ('c', 'i2', (2,))]\n"
        "    array = numpy.array([(1, 'x', (1, 2)), (2, 'y', (3, value))], kinds)\n"
        "    numpy.save(f'{name}.npy', array.astype(array.dtype.newbyteorder('>')) if variant else array)",
        ".npy", r"\[1\]/c\[1\]", "numpy"),
    "npz by NumPy": python(
        "import numpy, time\nfor name, variant, value in FILES:\n    (numpy.savez_compressed if variant else numpy.savez)"
        "(f'{name}.npz', a=numpy.arange(3), b=numpy.array([1., value]))", ".npz", r"member b.npy, \[1\]", "numpy"),
    "HDF5 by h5py": python(
        "import h5py, numpy\nfor name, variant, value in FILES:\n    with h5py.File(f'{name}.h5', 'w') as file:\n"
        "        file.attrs['unit'] = 'm'\n        file.create_dataset('g/v', data=[1., 2., value], "
        "**({'chunks': (1,), 'compression': 'gzip'} if variant else {}))\n        file['g/s'] = ['a', 'bcd']\n"
        "        file['g/r'] = numpy.array([(1, 2.)], [('i', 'i4'), ('f', 'f8')])\n"
        "        file['g'].attrs['to'] = file['g/v'].ref", ".h5", r"/g/v\[2\]", "h5py"),
    "NetCDF 3": python(NETCDF.replace("FORM", "NETCDF3_CLASSIC"), ".nc", r"/temperature\[1, 1\]", "netCDF4", kind="NetCDF"),
    "NetCDF 3 with 64 bits": python(
        NETCDF.replace("FORM", "NETCDF3_64BIT_DATA"), ".nc", r"/temperature\[1, 1\]", "netCDF4", kind="NetCDF"),
    "NetCDF 4": python(NETCDF.replace("FORM", "NETCDF4"), ".nc", r"/temperature\[1, 1\]", "netCDF4", kind="HDF5"),
    "Parquet by DuckDB": python(
        'import duckdb\nfor name, variant, value in FILES:\n    duckdb.sql(f"SELECT 1 AS a, {value}::DOUBLE AS b, [1, NULL, {value}] '
        "AS c\").write_parquet(f'{name}.parquet', compression='zstd' if variant else 'snappy')",
        ".parquet", "row 1, column b", "duckdb"),
    "SQLite by its shell": shell(
        "if [ $2 = 0 ]; then rows='(1, 2.5), (2, $3)'; size=4096; else rows='(2, $3), (1, 2.5)'; size=512; fi; rm -f $1.db; "
        'sqlite3 $1.db "PRAGMA page_size = $size; CREATE TABLE t (a, b); INSERT INTO t VALUES $(echo "$rows" | sed "s/\\$3/$3/");"',
        ".db", "row 2, column b of the table t", "sqlite3"),
    "PNG by matplotlib": plot("png", "metadata={'Software': f'v{variant}'}, pil_kwargs={'compress_level': 1 + 8 * variant}", r"pixels \d+"),
    "JPEG by Pillow": python(
        "from PIL import Image\nfor name, variant, value in FILES:\n    Image.new('RGB', (16, 16), (value * 30, 0, 0))"
        ".save(f'{name}.jpg', comment=f'v{variant}')", ".jpg", "pixels 0,0 to 15,15", "PIL"),
    "TIFF by Pillow": python(
        "from PIL import Image\nfor name, variant, value in FILES:\n    picture = Image.new('I;16', (4, 4), 1000)\n"
        "    picture.putpixel((1, 2), 1000 + value)\n    picture.save(f'{name}.tif', compression='tiff_lzw' if variant else None)",
        ".tif", "pixel 1,2", "PIL"),
    "deep PNG": python(
        "import struct, zlib\ndef chunk(kind, content):\n    return struct.pack('>I', len(content)) + kind + content + "
        "struct.pack('>I', zlib.crc32(kind + content))\nfor name, variant, value in FILES:\n    row = struct.pack('>6H', 1, 2, 3, 4, value, 6)\n"
        "    other = bytes((row[i] - (row[i - 6] if i >= 6 else 0)) % 256 for i in range(12))\n"
        "    rows = b'\\1' + other if variant else b'\\0' + row\n"
        "    open(f'{name}.png', 'wb').write(b'\\x89PNG\\r\\n\\x1a\\n' + chunk(b'IHDR', struct.pack('>IIBBBBB', 2, 1, 16, 2, 0, 0, 0))"
        " + chunk(b'IDAT', zlib.compress(rows)) + chunk(b'IEND', b''))", ".png", "pixel 1,0, channel 2"),
    "SVG by matplotlib": plot("svg", "metadata={'Date': f'2026-0{variant + 1}-01'}", "/elements/"),
    "SVG by gnuplot": shell(
        'gnuplot -e "set terminal svg size 200,100; plot [0:$3] x" | sed s/gnuplot_plot/p$2/ > $1.svg',
        ".svg", "/elements/", "gnuplot"),
    "PDF by matplotlib": plot("pdf", "metadata={'CreationDate': None if variant else __import__('datetime').datetime(2026, 1, 1)}", "page 1"),
    "PDF by LaTeX": shell(TEX, ".pdf", "page 1, line 1", "pdflatex"),
    "zip by Info-ZIP": shell(
        "rm -rf $1.zip d; mkdir d; echo $3 > d/a; echo x > d/b; touch -d 201$2-01-01 d/*; zip -q -X -$2 -r $1.zip d",
        ".zip", "member d/a, line 1", "zip"),
    "tar by GNU tar": shell(
        "rm -rf d; mkdir d; echo $3 > d/a; echo x > d/b; touch -d 201$2-01-01 d/*; tar --format=$([ $2 = 0 ] && echo gnu || echo pax) "
        "-cf $1.tar $([ $2 = 0 ] && echo d/a d/b || echo d/b d/a)", ".tar", "member d/a, line 1", "tar"),
    "tar by git archive": shell(
        GIT + "git archive --format=tar -o ../$1.tar HEAD", ".tar", "member d/a, line 1", "git"),
    "tar.gz by git archive": shell(
        GIT + "git archive --format=tar.gz -o ../$1.tar.gz HEAD", ".tar.gz", "member d/a, line 1", "git", kind="gzip of tar"),
    "gzip": shell("echo $3 > a$2; touch -d 201$2-01-01 a$2; gzip -c a$2 > $1.gz", ".gz", "line 1", "gzip"),
    "bzip2": shell("seq $3 20000 | bzip2 -$((1 + 8 * $2)) > $1.bz2", ".bz2", "line 1", "bzip2"),
    "xz": shell("seq $3 2000 | xz -$((9 * $2)) > $1.xz", ".xz", "line 1", "xz"),
    "zstd": shell("seq $3 2000 | zstd -q -$((1 + 18 * $2)) > $1.zst", ".zst", "line 1", "zstd"),
    "program by gcc": shell(C.replace("FLAGS", "").replace("ENDING", ".elf"), ".elf", r"section \.text, byte", "gcc", kind="ELF"),
    "library by gcc": shell(
        C.replace("FLAGS", "-shared -fPIC").replace("ENDING", ".so"), ".so", r"section \.text, byte", "gcc", kind="ELF"),
    "pickle": python(
        "import pickle, pickletools\nfor name, variant, value in FILES:\n    content = pickle.dumps({'a': [1, value], 'b': 'x'}, 4)\n"
        "    open(f'{name}.pickle', 'wb').write(pickletools.optimize(content) if variant else content)", ".pickle", r"byte \d+"),
    "rds by R": r("saveRDS(list(a=1:3, d=data.frame(u=c(1, value), f=factor(c('p', 'q'))), n=NA_real_), paste0(name, '.rds'), "
                  "compress=if (variant) 'xz' else 'gzip', version=3 - variant)", ".rds", r"/d/u\[1\]", kind="R objects"),
    "RData by R": r("x <- c(a=1, b=value); save(x, file=paste0(name, '.RData'), compress=variant == 0)", ".RData", r"/x\[1\]", kind="R objects"),
    "dta by pandas": python(
        "import datetime, pandas\nfor name, variant, value in FILES:\n    pandas.DataFrame({'a': [1, 2], 'b': [0.5, value], 's': ['x', 'y']})"
        ".to_stata(f'{name}.dta', time_stamp=datetime.datetime(2026, 1, 1 + variant), version=118, write_index=False)",
        ".dta", r"column b, row \[1\]", "pandas", kind="Stata"),
    "mat by SciPy": python(
        "import scipy.io\nfor name, variant, value in FILES:\n    scipy.io.savemat(f'{name}.mat', {'m': [[1., 2.], [3., value]], "
        "'s': {'t': 'text'}}, do_compression=bool(variant))", ".mat", r"m\[1, 1\]", "scipy", kind="MATLAB"),
    "FITS by Astropy": python(
        "import numpy\nfrom astropy.io import fits\nfor name, variant, value in FILES:\n    unit = fits.PrimaryHDU(numpy.array([[1., value]]))\n"
        "    unit.header['DATE'] = f'2026-01-0{variant + 1}'\n    table = fits.BinTableHDU.from_columns([fits.Column('a', 'E', array=[1, 2])])\n"
        "    fits.HDUList([unit, table]).writeto(f'{name}.fits', checksum=bool(variant))",
        ".fits", r"unit 0, data\[0, 1\]", "astropy", kind="FITS"),
    "NIfTI by NiBabel": python(
        "import numpy, nibabel\nfor name, variant, value in FILES:\n    data = numpy.zeros((2, 2, 2), 'f4'); data[1, 0, 1] = value\n"
        "    header = nibabel.Nifti1Header(endianness='>' if variant else '<')\n"
        "    nibabel.Nifti1Image(data, numpy.eye(4), header).to_filename(f'{name}.nii')", ".nii", r"voxel \[1, 0, 1\]", "nibabel", kind="NIfTI"),
    "NIfTI in gzip": python(
        "import gzip, numpy, nibabel\nfor name, variant, value in FILES:\n    data = numpy.zeros((2, 2, 2), 'i2')\n"
        "    data[1, 0, 1] = value\n    header = nibabel.Nifti1Header(endianness='>' if variant else '<')\n"
        "    content = nibabel.Nifti1Image(data, numpy.eye(4), header).to_bytes()\n"
        "    open(f'{name}.nii.gz', 'wb').write(gzip.compress(content))",
        ".nii.gz", r"voxel \[1, 0, 1\]", "nibabel", kind="gzip of NIfTI"),
    "xlsx by openpyxl": python(
        "import datetime, openpyxl\nfor name, variant, value in FILES:\n    book = openpyxl.Workbook(); sheet = book.active; sheet.title = 'S'\n"
        "    sheet.append(['a', 'b']); sheet.append([1, value]); sheet['C2'] = '=A2+B2'\n"
        "    book.properties.creator = f'who{variant}'\n    if variant: sheet['A1'].font = openpyxl.styles.Font(bold=True)\n"
        "    book.save(f'{name}.xlsx')", ".xlsx", "sheet S, cell B2", "openpyxl", kind="workbook"),
    "docx by zip": shell(
        "rm -rf w $1.docx; mkdir -p w/docProps w/word; echo \"<?xml version='1.0'?><a>$2</a>\" > w/docProps/core.xml; "
        "echo \"<?xml version='1.0'?><d><p>$3</p></d>\" > w/word/document.xml; cd w; zip -q -X -r ../$1.docx .",
        ".docx", "member word/document.xml, /elements/0/text", "zip"),
}  # fmt: skip
