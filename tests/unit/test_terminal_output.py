"""Nothing raw on a terminal: what bundles, targets, folders, servers and callers say is shown escaped."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from rtrace.printable import printable, printable_text
from showing import (
    HIDDEN,
)


@pytest.mark.parametrize(
    "text",
    [
        "Ergebnisse für Jürgen",
        "naïve “quotes” … €",
        "データ　結果",
        "결과",
        "نتائج",
        "результат",
        "🎉 ❤️ 👩‍🔬 👨‍👩‍👧 1️⃣ 🇩🇪",
        "e\u0301",  # as macOS writes é
        r"C:\new\x1b",
    ],
)
def test_ordinary_text_stays_as_it_is(text: str) -> None:
    """Umlauts, other scripts, emoji and their joiners, and what looks like an escape are shown as they are."""
    assert printable_text(text) == text
    assert printable(text.encode()) == text


@pytest.mark.parametrize(
    "text, shown",
    [
        ("\x1b[31m", r"\x1b[31m"),
        ("a\nb\r\t", r"a\nb\r\t"),
        ("\x9b", r"\u009b"),
        ("\u202e", r"\u202e"),
        ("\U000e0041", r"\U000e0041"),
        ("\udcff", r"\xff"),
        ("\ud800", r"\ud800"),
        ("a\u200db", r"a\u200db"),
        ("\u200d🎉", "\\u200d🎉"),
        ("a\ufe0f", r"a\ufe0f"),
    ],
)
def test_escapes_tell_what_was_there(text: str, shown: str) -> None:
    """A character and a byte of the same value are told apart, and joiners stay between emoji alone."""
    assert printable_text(text) == shown


def test_bytes_are_shown_as_text_is() -> None:
    """A byte string, and the text that `os.fsdecode` makes of it, are shown the same."""
    assert printable(b"/\xff\xc2\x9b\n") == printable_text("/\udcff\u009b\n") == r"/\xff\u009b\n"


SPEAKING = (
    "rtrace/cli/terminal/speaking.py",
    "rtrace/cli/terminal/debug_output.py",  # into the file that RTRACE_LOG names
    "rtrace/cli/terminal/detaching.py",  # into a pipe of its own
    "rtrace/cli/__init__.py",  # where there is no room for the first
)


def find_printing(tree: ast.Module) -> Iterator[int]:
    """Yield the lines that write to a person in another way than by the module `speaking`."""
    streams = {"stdout", "stderr", "__stdout__", "__stderr__"}
    writing = {
        "echo",
        "secho",
        "echo_via_pager",
        "progressbar",
        "prompt",
        "confirm",
        "pause",
        "clear",
        "get_text_stream",
    }
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Name(id="print" | "input")):
                yield node.lineno
            case ast.Attribute(value=ast.Name(id="click"), attr=name) if name in writing:
                yield node.lineno
            case ast.ImportFrom(module="click" | "sys", names=names) if writing | streams & {one.name for one in names}:
                if {one.name for one in names} & (writing | streams):
                    yield node.lineno
            case ast.Attribute(value=ast.Attribute(value=ast.Name(id="sys"), attr=name), attr=method) if (
                name in streams
            ):
                if method != "isatty":
                    yield node.lineno
            case (
                ast.Attribute(value=ast.Name(id="os"), attr="write")
                | ast.Attribute(attr="print_exc" | "print_exception")
            ):
                yield node.lineno


def test_one_place_prints(checkout: Path) -> None:
    """In the command-line modules nothing but `speaking` writes to the standard streams."""
    wrong = [
        f"{path}:{line}"
        for path in sorted((checkout / "tracer/rtrace/cli").rglob("*.py"))
        if not str(path).endswith(SPEAKING)
        for line in find_printing(ast.parse(path.read_bytes()))
    ]
    assert wrong == []


@pytest.mark.parametrize(
    "source",
    [
        "print(x)",
        "click.echo(x)",
        "from click import secho",
        "click.progressbar(x)",
        "sys.stdout.write(x)",
        "sys.stderr.buffer.write(x)",
        "from sys import stderr",
        "os.write(2, x)",
        "traceback.print_exc()",
    ],
)
def test_every_way_of_printing_is_found(source: str) -> None:
    """The search knows the ways in which somebody might print elsewhere."""
    assert list(find_printing(ast.parse(source))) == [1]


def test_hidden_characters_are_what_the_test_says() -> None:
    """The characters that this file calls hidden are escaped where they stand alone."""
    assert all(printable_text(char).startswith("\\") for char in HIDDEN)
