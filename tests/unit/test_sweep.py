"""What a sweep is asked for and changes, its folders, numbers and table: pure, and safe whatever is typed."""

from __future__ import annotations

import csv
import io
import math
import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bundle_samples import RUN
from rtrace.errors import UsageError
from rtrace.operations.recording.changed import list_options
from rtrace.operations.sweeping.folder import SweepFolder
from rtrace.replay.changing import Changes, change_run
from rtrace.sweep.asked import Asked, read_asked, split_values, write_value
from rtrace.sweep.axes import Axis, Spot, resolve_axes
from rtrace.sweep.combinations import make_combinations, name_folder
from rtrace.sweep.numbers import MOST_NUMBERS, find_numbers
from rtrace.sweep.rows import Made, Row, read_row, write_row
from rtrace.sweep.table import Line, make_table, write_csv

TYPED = st.characters(codec="utf-8", exclude_characters="\0")
KEY = "0" * 64
FIT = replace(
    RUN,
    id="fit",
    argv=(b"python3", b"fit.py", b"--alpha", b"0.1", b"--beta=2", b"gamma=3", b"-n", b"5"),
    environ=((b"SEED", b"1"), (b"alpha", b"x")),
)
PLOT = replace(RUN, id="plot", argv=(b"plot", b"--alpha", b"9"), environ=((b"SEED", b"1"),))


def resolve(
    *texts: str, runs: tuple[object, ...] = (FIT,), inputs: tuple[str, ...] = ("data.csv", "SEED")
) -> list[Axis]:
    """Return what texts of --sweep mean."""
    return list(resolve_axes([read_asked(text) for text in texts], runs, inputs))  # type: ignore[arg-type]


@given(st.lists(st.text(TYPED), min_size=1))
def test_values_are_written_and_read(values: list[str]) -> None:
    """Commas and backslashes in values survive."""
    assert split_values(",".join(map(write_value, values))) == tuple(values)


def test_kinds_are_read() -> None:
    """A kind is one of three words before a colon; a name may hold any other colon."""
    assert read_asked("env:A=1,2") == Asked("env", "A", ("1", "2"))
    assert read_asked("arg:fit:--alpha=0.1") == Asked("arg", "fit:--alpha", ("0.1",))
    assert read_asked("A:B=,x=y") == Asked(None, "A:B", ("", "x=y"))


@pytest.mark.parametrize("text", ["", "A", "=1", "env:=1", "A=", "A=1,1", "A=1\0", "arg:"])
def test_what_names_nothing_is_refused(text: str) -> None:
    """In a sentence that says what to write."""
    with pytest.raises(UsageError, match="--sweep"):
        read_asked(text)


def test_names_are_found_in_runs() -> None:
    """A variable, a word by number, the value of an option in each way of writing it, an input, a path."""
    axes = resolve(
        "env:SEED=1", "arg:1=a.py", "--alpha=1", "beta=1", "gamma=1", "n=1", "data.csv=f", "/etc/x=f", "env:N=1"
    )
    assert [(axis.kind, axis.label, axis.spot and (axis.spot.place, axis.spot.prefix)) for axis in axes] == [
        ("env", "SEED", None),
        ("arg", "arg1", (1, b"")),
        ("arg", "alpha", (3, b"")),
        ("arg", "beta", (4, b"--beta=")),
        ("arg", "gamma", (5, b"gamma=")),
        ("arg", "n", (7, b"")),
        ("input", "data.csv", None),
        ("input", "/etc/x", None),
        ("env", "N", None),
    ]


@pytest.mark.parametrize(
    "text, sentence",
    [
        ("SEED=1", "may mean several things; write env:SEED= or input:SEED="),
        ("alpha=1", "write env:alpha= or arg:3="),
        ("alhpa=1", "did you mean alpha?"),
        ("zzz=1", "write env:zzz= to set a new variable, or arg:N= for a word of fit (1 fit.py, 2 --alpha"),
        ("arg:8=1", "no such word"),
        ("arg:0=1", "no such word"),
        ("arg:-x=1", "no such word"),
        ("arg:9999999999=1", "no such word"),
    ],
)
def test_what_may_mean_several_things_or_nothing_is_refused(text: str, sentence: str) -> None:
    """The sentence names what may be meant."""
    with pytest.raises(UsageError, match=re.escape(sentence)):
        resolve(text)


def test_a_word_of_one_of_several_runs_needs_its_run() -> None:
    """Two runs have the option: the run is named, and only its word is another one."""
    with pytest.raises(UsageError, match=re.escape("arg:fit:3= or arg:plot:2=")):
        resolve("arg:--alpha=1", runs=(FIT, PLOT))
    (axis,) = resolve("arg:plot:--alpha=1", runs=(FIT, PLOT))
    assert axis.spot == Spot("plot", 2, b"", b"--alpha")
    changes = Changes(words=(axis.spot.write("7"),))
    assert (change_run(FIT, changes), change_run(PLOT, changes).argv) == (FIT, (b"plot", b"--alpha", b"7"))


def test_one_thing_is_swept_once() -> None:
    """Also where it was named in two ways."""
    with pytest.raises(UsageError, match="given twice"):
        resolve("arg:3=1", "--alpha=2")


def test_a_prefix_stays_before_the_value() -> None:
    """`--beta=2` becomes `--beta=VALUE`, bytes that are no UTF-8 included."""
    (axis,) = resolve("beta=\udcff")
    assert axis.spot is not None
    assert change_run(FIT, Changes(words=(axis.spot.write("\udcff"),))).argv[4] == b"--beta=\xff"


def test_history_has_a_changed_word_without_a_password() -> None:
    """As an option that would change it again; what stands behind --password is nobody's business."""
    spot = Spot("fit", 3, before=b"--alpha")
    assert list_options(Changes(words=(spot.write("0,5"),)), ()) == ("--sweep", "arg:fit:3=0\\,5")
    secret = Spot("fit", 3, before=b"--password").write("hunter2hunter2")
    assert "hunter2" not in " ".join(list_options(Changes(words=(secret,)), ()))


AXES = (Axis("env", "A", ("1", "2"), "A"), Axis("arg", "--b", ("x", "y", "z"), "b"))


def test_combinations_are_the_product() -> None:
    """The last axis changes fastest; too many are refused in a sentence with the option that allows them."""
    made = make_combinations(AXES)
    assert [one.name for one in made] == [f"A={a},b={b}" for a in "12" for b in "xyz"]
    assert [one.number for one in made] == list(range(6))
    with pytest.raises(UsageError, match="--most-combinations 6"):
        make_combinations(AXES, 5)


HOSTILE = [
    "..",
    "../../x",
    "a/b",
    "-rf",
    "",
    "\n",
    "$(id)",
    "'",
    '"',
    "a b",
    "ü",
    "\udcff",
    "%2F",
    "x" * 300,
    "=1",
    "~",
    "*",
]


@given(st.lists(st.one_of(st.sampled_from(HOSTILE), st.text(TYPED)), unique=True))
def test_folders_are_safe_and_apart(values: list[str]) -> None:
    """No value leaves its folder, is an option or means anything to a shell; other values are other folders."""
    axes = (Axis("env", ".A b", ("1",), ".A b"),)
    names = [name_folder(axes, (value,)) for value in values]
    assert len(set(names)) == len(names)
    for name in names:
        assert re.fullmatch(r"[A-Za-z0-9%_][A-Za-z0-9._+=,%~-]*", name)
        assert len(name) <= 120


@pytest.mark.parametrize(
    "text, found",
    [
        ("accuracy: 0.93\n", {"accuracy": "0.93"}),
        (
            "Adjusted R-squared: 0.9\nloss=1e-4, acc = .5 (n: 12)",
            {"Adjusted R-squared": "0.9", "loss": "1e-4", "acc": ".5", "n": "12"},
        ),
        ("epoch 1 loss: 3\nepoch 2 loss: 2", {"loss": "2"}),
        ("took: 3.2 s, rate: 93%, size: 5kB", {"took": "3.2", "rate": "93", "size": "5"}),
        ("at 12:30:45 in fit.py:12 of http://host:80/ version: 1.2.3 day: 2024-01-02 n: 1,234", {}),
        (
            '{"score": 0.930, "ok": true, "big": 123456789012345678901, "nan": NaN, "in": {"x": 1}, "s": "5"}',
            {"score": "0.930", "big": "123456789012345678901"},
        ),
        ("[1, 2]", {}),
        ('{"a": 1', {}),
        ("a,b,name\n1,-2.5,x\n", {"a": "1", "b": "-2.5"}),
        ("a;b\r\n1;2", {"a": "1", "b": "2"}),
        ("a,b\n1,2\n3,4\n", {}),
        ("1,2\n3,4\n", {}),
        ("\0accuracy: 1", {}),
        ('<?xml version="1.0"?>\n<svg><g style="stroke-width: 0.8"/></svg>', {}),
        ("\n<!DOCTYPE html>\n<p>loss: 3</p>", {}),
        ("<- loss: 3", {"loss": "3"}),
    ],
)
def test_numbers_are_found(text: str, found: dict[str, str]) -> None:
    """Behind a label, at the top of JSON, in a table of one row; nothing of dates, times, addresses and places."""
    assert {one.label: one.text for one in find_numbers("out", text.encode())} == found


def test_numbers_of_the_hostile_are_few_and_quick() -> None:
    """Labels without end, nesting without end, and bytes that are no text."""
    many = "\n".join(f"l{number}x: {number}" for number in range(1000))
    assert len(find_numbers("out", many.encode())) == MOST_NUMBERS
    assert find_numbers("out", b"[" * 100_000) == ()
    assert find_numbers("out", b'{"a":' * 100_000) == ()
    assert find_numbers("out", b"\xff\xfea: 1") == ()
    assert find_numbers("out", b"a a " * 200_000) == ()
    assert find_numbers("out", b"x: " + b"1" * 100_000) == ()


@given(st.binary())
def test_no_content_breaks_the_search(content: bytes) -> None:
    """Whatever is found is a number."""
    assert all(math.isfinite(float(one.text)) or "e" in one.text.lower() for one in find_numbers("out", content))


ROW = Row(
    KEY,
    "done",
    exit_status=0,
    unpacker="chroot",
    started=1.5,
    finished=2.5,
    seconds=1.0,
    memory=4096,
    stdout=3,
    stderr=0,
    stdout_sha256=KEY,
    outputs=(Made("out", "out", 5, KEY),),
    numbers=find_numbers("stdout", b"score: 1.50\nfolder: 3"),
    notes=("one",),
)


def test_rows_are_written_and_read() -> None:
    """And what is none is none: cut off, of another format, with another type in it, with a key too many."""
    text = write_row(ROW)
    assert read_row(text) == ROW
    broken = [text[:-10], "", "[]", "null", text.replace('"format": 1', '"format": 2'), text.replace(KEY, "short", 1)]
    broken += [text.replace('"memory": 4096', '"memory": "x"'), text.replace('"state": "done"', '"state": "fine"')]
    broken += [text.replace('"notes": [', '"other": 1, "notes": ['), text.replace('"one"', "1"), "[" * 100_000]
    assert [read_row(one) for one in broken] == [None] * len(broken)


def test_the_table_is_csv_without_formulas() -> None:
    """Values, labels and notes of strangers are text; numbers stay numbers; a label twice says of which output."""
    axes = (Axis("env", "=A", ("=1+1", "-0.5"), "=A"),)
    numbers = (*find_numbers("a.json", b'{"score": -2}'), *find_numbers("b.json", b'{"score": 3, "+x": 1}'))
    combinations = make_combinations(axes)
    rows = [replace(ROW, numbers=numbers, notes=("@SUM(A1)\n\x1b[31m",)), Row(KEY, "lost", missing=("gone",))]
    table = make_table(axes, [Line(*pair) for pair in zip(combinations, rows, strict=True)])
    head, first, second = csv.reader(io.StringIO(write_csv(table)))
    cells = dict(zip(head, first, strict=True))
    assert cells["'=A"] == "'=1+1"
    assert (cells["a.json:score"], cells["b.json:score"], cells["'+x"]) == ("-2", "3", "1")
    assert cells["notes"] == "'@SUM(A1)\\n\\x1b[31m"
    other = dict(zip(head, second, strict=True))
    assert (other["'=A"], other["state"], other["out size"], other["gone size"]) == ("-0.5", "lost", "", "")


def test_a_label_that_is_a_column_already_is_told_apart() -> None:
    """A program may print `folder: 3`, and `state: 1`."""
    row = replace(ROW, numbers=find_numbers("stdout", b"state: 1\nseconds: 2\nA: 3\nfolder: 4"))
    axes = (AXES[0],)
    table = make_table(axes, [Line(one, row) for one in make_combinations(axes)])
    names = [column.name for column in table.columns]
    assert len(set(names)) == len(names)
    assert names.index("stdout:A") > names.index("A")


def test_what_is_done_is_not_done_again(tmp_path: Path) -> None:
    """A row counts with its key and its outputs, and for what a limit ended with the same limits; else it is none."""
    folder, (combination, *_) = SweepFolder(tmp_path / "out"), make_combinations(AXES)

    def take(row: Row) -> None:
        outputs, record = tmp_path / "outputs", tmp_path / "record"
        for new in (outputs, record, folder.path / "rows"):
            new.mkdir(parents=True, exist_ok=True)
        (outputs / "out").write_text("12345")
        folder.take(combination, outputs, record, row)

    def is_done(limits: str = "", key: str = KEY) -> bool:
        return folder.read_done(combination, key, limits) is not None

    assert not is_done()
    take(ROW)
    assert (is_done(), is_done("other"), is_done(key="1" * 64)) == (True, True, False)
    take(replace(ROW, state="limit", limits="short"))
    assert (is_done("short"), is_done("long")) == (True, False)
    for state in ("error", "lost"):
        take(replace(ROW, state=state))
        assert not is_done()
    take(ROW)
    (folder.path / combination.name / "out").write_text("1")
    assert not is_done()
    take(ROW)
    (folder.path / "rows" / combination.name / "row.json").write_text("{")
    assert not is_done()
