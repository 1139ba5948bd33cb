"""Rows for the classes of the ACM REP'24 benchmark that need no network, and what was published of them.

Grayson, Aguilar, Milewicz, Katz, Marinov: A benchmark suite and performance analysis of user-space provenance
collectors, ACM REP 2024. The rows here are of the same classes, with work of our own: the same programs, other data.
"""

import gzip
import os
import random
import shutil
import statistics
import subprocess
import tarfile
from collections.abc import Callable, Collection
from functools import partial
from pathlib import Path

from benchmark.workloads import Workload, prepare_nothing

GROUP = "rep24"
HTTP_LOAD = str(Path(__file__).with_name("http_load.py"))

PUBLISHED_TOTALS = {"care": 1.45, "strace": 1.66, "rr": 2.46, "reprozip": 2.93}
"""Geometric means over the whole suite, times bare."""

PUBLISHED = {
    "BLAST": {"care": 1.02, "strace": 1.02, "rr": 1.93, "reprozip": 1.08},
    "Compile w/latex": {"care": 1.72, "strace": 1.40, "rr": 1.23, "reprozip": 3.88},
    "HTTP srv/traffic": {"care": 2.35, "strace": 5.14, "rr": 13.61, "reprozip": 8.24},
    "IO bench postmark": {"care": 3.31, "strace": 7.50, "rr": 3.59, "reprozip": 18.33},
    "Tar Archive": {"care": 1.75, "strace": 2.13, "rr": 2.79, "reprozip": 2.40},
    "Tar Unarchive": {"care": 1.44, "strace": 2.14, "rr": 2.95, "reprozip": 2.49},
    "Utils": {"care": 2.18, "strace": 3.80, "rr": 14.78, "reprozip": 7.97},
    "Utils bash": {"care": 1.75, "strace": 1.20, "rr": 5.26, "reprozip": 30.33},
    "VCS checkout": {"care": 1.71, "strace": 2.60, "rr": 2.77, "reprozip": 5.28},
    "cp": {"care": 7.41, "strace": 4.80, "rr": 3.32, "reprozip": 58.91},
}
"""The same for each class that has a row here (table 8 of the preprint, overhead in percent turned into a ratio)."""


def published_mean(tool: str, kinds: Collection[str]) -> float | None:
    """Return the geometric mean of what was published of some classes; None when there is nothing."""
    ratios = [PUBLISHED[kind][tool] for kind in kinds if tool in PUBLISHED.get(kind, {})]
    return statistics.geometric_mean(ratios) if ratios else None


# ---- data, the same bytes every time ----


def write_tree(folder: Path, count: int, seed: int = 0) -> None:
    """Write `count` small files of half compressible text, fifty a folder."""
    dice = random.Random(seed)  # noqa: S311 - nothing is secret here
    for number in range(count):
        path = folder / f"part{number // 50}" / f"file{number}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(dice.randbytes(dice.randrange(200, 4_000)).hex().encode())


def prepare_tree(folder: Path, size: int) -> None:
    """Write the files that are archived or copied."""
    write_tree(folder / "tree", size)


def prepare_archive(folder: Path, size: int, *, compressed: bool) -> None:
    """Write the archive that is unpacked, and nothing else."""
    write_tree(folder / "tree", size)
    with tarfile.open(folder / "archive.tar", "w") as archive:
        archive.add(folder / "tree", "tree", filter=forget_origin)
    shutil.rmtree(folder / "tree")
    if compressed:
        with (
            (folder / "archive.tar").open("rb") as plain,
            gzip.GzipFile(folder / "archive.tar.gz", "wb", 6, mtime=0) as file,
        ):
            shutil.copyfileobj(plain, file)
        (folder / "archive.tar").unlink()


def forget_origin(member: tarfile.TarInfo) -> tarfile.TarInfo:
    """Leave out of an archive when and by whom its files were made."""
    member.mtime = member.uid = member.gid = 0
    member.uname = member.gname = ""
    return member


def prepare_repository(folder: Path, size: int) -> None:
    """Make a repository with two revisions, `first` and `second`, which differ in most of their files."""
    person = {f"GIT_{who}_{what}": text for who in ("AUTHOR", "COMMITTER") for what, text in PERSON.items()}
    environment = {**os.environ, **person, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}

    def git(*arguments: str) -> None:
        subprocess.run(["git", *arguments], cwd=folder, env=environment, check=True, stdout=subprocess.DEVNULL)

    git("-c", "init.defaultBranch=main", "init", "-q")
    git("config", "advice.detachedHead", "false")
    git("config", "gc.auto", "0")
    (folder / ".git/info/exclude").write_text("/out/\n")
    for seed, tag in enumerate(("first", "second")):
        shutil.rmtree(folder / "tree", ignore_errors=True)
        write_tree(folder / "tree", size - seed * size // 10, seed)
        git("add", "-A")
        git("commit", "-q", "-m", tag)
        git("tag", tag)
    git("gc", "-q")
    git("checkout", "-q", "first")


PERSON = {"NAME": "Nobody", "EMAIL": "nobody@example.org", "DATE": "2024-01-01T00:00:00Z"}


def prepare_postmark(folder: Path, size: int) -> None:
    """Write the orders for postmark: files and transactions on them, from a fixed seed."""
    orders = ["set location out", f"set number {size // 10 + 1}", f"set transactions {size}", "set seed 42"]
    (folder / "postmark.orders").write_text("\n".join([*orders, "run", "quit", ""]))


def prepare_site(folder: Path, _size: int) -> None:
    """Write the page that is served."""
    (folder / "site").mkdir()
    (folder / "site/index.html").write_text("<p>" + "Served from the loopback. " * 100 + "</p>\n")


def prepare_places(folder: Path, _size: int) -> None:
    """Make the folders that a shell changes into."""
    for number in range(10):
        (folder / f"place{number}").mkdir()


def prepare_paper(folder: Path, size: int) -> None:
    """Write a LaTeX document with sections, formulas, tables and references."""
    body = []
    for number in range(size):
        body += [
            rf"\section{{Finding {number}}}\label{{s{number}}}",
            "It follows from what was said before, and was measured in the same way. " * 12,
            rf"\[\sum_{{i=0}}^{{{number}}} \frac{{x_i^2}}{{\sqrt{{1+y_i}}}} = z_{{{number}}}\]",
            rf"\begin{{tabular}}{{l|r}}a & {number} \\ \hline b & {number * 7}\end{{tabular}}",
            rf"See section~\ref{{s{size - number - 1}}}.",
        ]
    lines = [r"\documentclass{article}", r"\begin{document}", r"\tableofcontents", *body, r"\end{document}", ""]
    (folder / "paper.tex").write_text("\n".join(lines))


def prepare_sequences(folder: Path, size: int) -> None:
    """Write a database of random sequences, and queries that are pieces of it with some letters changed."""
    dice = random.Random(0)  # noqa: S311 - nothing is secret here
    sequences = ["".join(dice.choices("ACGT", k=20_000)) for _ in range(200)]
    (folder / "database.fa").write_text("".join(f">s{number}\n{text}\n" for number, text in enumerate(sequences)))
    with (folder / "queries.fa").open("w") as file:
        for number in range(size):
            start = dice.randrange(19_000)
            piece = list(dice.choice(sequences)[start : start + 1_000])
            for _ in range(50):
                piece[dice.randrange(len(piece))] = dice.choice("ACGT")
            file.write(f">q{number}\n{''.join(piece)}\n")
    command = ["makeblastdb", "-in", "database.fa", "-dbtype", "nucl", "-out", "database"]
    subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)


# ---- the rows ----

CHECKOUTS = "for i in 1 2 3; do git checkout -q second && git checkout -q first || exit; done"
UTILITIES = "for ((i = 0; i < {size}; i++)); do ls / && date && id && uname -a && cat /etc/passwd || exit; done"
CHANGES = "for ((i = 0; i < {size}; i++)); do cd place$((i % 10)) && cd .. || exit; done"
INCREMENTS = "for ((i = 0; i < {size}; i++)); do ((n += i)); done"
ECHOES = "for ((i = 0; i < {size}; i++)); do echo $i; done"
LATEX = "for run in 1 2; do pdflatex -interaction=batchmode -output-directory=out paper.tex || exit; done"
BLAST = ("blastn", "-query", "queries.fa", "-db", "database", "-out", "out/hits", "-num_threads", "1")


def row(
    name: str, kind: str, title: str, command: tuple[str, ...], size: int, prepare: Callable[[Path, int], None]
) -> Workload:
    """Make a row of this group."""
    return Workload(name, title, command, size, prepare, group=GROUP, kind=kind, heavy=name in HEAVY)


HEAVY = ("latex", "blast")
"""Rows whose packages take more than 50 MB."""

ARCHIVE, UNARCHIVE, HTTP, BASH = "Tar Archive", "Tar Unarchive", "HTTP srv/traffic", "Utils bash"
PLAIN = partial(prepare_archive, compressed=False)
GZIPPED = partial(prepare_archive, compressed=True)
REP24 = (
    row("tar", ARCHIVE, "tar -cf, {size} files", ("tar", "-cf", "out/a.tar", "tree"), 10_000, prepare_tree),
    row("tar-gzip", ARCHIVE, "tar -czf, {size} files", ("tar", "-czf", "out/a.tar.gz", "tree"), 10_000, prepare_tree),
    row("untar", UNARCHIVE, "tar -xf, {size} files", ("tar", "-xf", "archive.tar", "-C", "out"), 10_000, PLAIN),
    row(
        "untar-gzip",
        UNARCHIVE,
        "tar -xzf, {size} files",
        ("tar", "-xzf", "archive.tar.gz", "-C", "out"),
        10_000,
        GZIPPED,
    ),
    row("copy", "cp", "cp -r, {size} files", ("cp", "-r", "tree", "out/copy"), 10_000, prepare_tree),
    row(
        "checkout",
        "VCS checkout",
        "git checkout, 6 x {size} files",
        ("bash", "-c", CHECKOUTS),
        3_000,
        prepare_repository,
    ),
    row(
        "postmark",
        "IO bench postmark",
        "postmark, {size} transactions",
        ("postmark", "postmark.orders"),
        50_000,
        prepare_postmark,
    ),
    row(
        "http-python",
        HTTP,
        "python -m http.server, {size} requests",
        ("{python}", "-S", HTTP_LOAD, "python", "{size}"),
        2_000,
        prepare_site,
    ),
    row(
        "http-nginx",
        HTTP,
        "nginx, {size} requests",
        ("{python}", "-S", HTTP_LOAD, "nginx", "{size}"),
        20_000,
        prepare_site,
    ),
    row("utils", "Utils", "{size} x ls, date, id, uname, cat", ("bash", "-c", UTILITIES), 200, prepare_nothing),
    row("shell-cd", BASH, "{size} x cd and back in bash", ("bash", "-c", CHANGES), 50_000, prepare_places),
    row("shell-incr", BASH, "{size} x n += i in bash", ("bash", "-c", INCREMENTS), 500_000, prepare_nothing),
    row("shell-echo", BASH, "{size} x echo in bash", ("bash", "-c", ECHOES), 300_000, prepare_nothing),
    row("latex", "Compile w/latex", "pdflatex twice, {size} sections", ("bash", "-c", LATEX), 300, prepare_paper),
    row("blast", "BLAST", "blastn, {size} queries", BLAST, 300, prepare_sequences),
)
