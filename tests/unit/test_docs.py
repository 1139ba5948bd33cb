"""What the documentation says about files, commands and pages is true."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from documentation.inclusion import PAGES
from rtrace import __version__
from rtrace.cli.frame.commands import rtrace as group

CHECKOUT = next(folder for folder in Path(__file__).resolve().parents if (folder / "pyproject.toml").exists())
DOCUMENTS = sorted(
    path
    for pattern in ("*.md", "docs/**/*.md", "tracer/*.md", "unpackers/*.md")
    for path in CHECKOUT.glob(pattern)
    if path.name != "CLAUDE.md"
)
NAMES = [path.relative_to(CHECKOUT).as_posix() for path in DOCUMENTS]

FENCE = re.compile(r"^(```+|~~~+).*?^\1$", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"`(?:[^`\n]|\n(?!\n))+`")
LINK = re.compile(r"(?<=\]\()(?!https?://)([^)\s]+)(?=\))")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
# A row of docs/architecture/questions.md: the question, a file, and a name that the file defines.
ANSWER = re.compile(r"^\| (Wh[^|]+\?) \| `([^`]+)` \| `([^`]+)` \|$", re.MULTILINE)
CALL = re.compile(r"(?:^|[$;&|(]|exec|sudo) *\brtrace ([^`\n|;&#>]*)", re.MULTILINE)

# Folders of a trace directory, and of a person's experiment.
NOT_OURS = {"snapshots/", "streams/", "trace/", "records/", "old/", "root/"}
AMERICAN = (
    "behavior|colors?|centers?|favorite|honor|artifacts?|catalogs?|defense|"
    r"(?:anal|anonym|author|initial|minim|maxim|normal|optim|organ|real|recogn|serial|summar|synchron)[iy]z(?:e|ed|es|ing|ation)"
)
STUMBLING = "of which|is none|are none|not whole|outline|throw-away|kB"
# In words that are names, or somebody else's.
ALLOWED = {"--color", "FORCE_COLOR", "NO_COLOR", "--max-colors"}


def read_prose(path: Path) -> str:
    """Return a document without what is code."""
    return CODE.sub("", FENCE.sub("", path.read_text("utf-8")))


def read_code(text: str) -> str:
    """Return what is code in a document, a line each: spans, and the lines of blocks."""
    return "\n".join(match[0].strip("`") for match in re.finditer(f"{FENCE.pattern}|{CODE.pattern}", text, FENCE.flags))


def slug(heading: str) -> str:
    """Return the anchor of a heading, as GitHub and MyST make it."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


@pytest.mark.parametrize("name", NAMES)
def test_every_link_leads_to_a_file_and_heading(name: str) -> None:
    """A relative link names a file of the repository, and behind # one of its headings."""
    document = CHECKOUT / name
    broken = re.findall(r"\[\]\([^)]*\)", document.read_text("utf-8"))  # GitHub shows nothing for a link without text
    for link in LINK.findall(read_prose(document)):
        path, _, anchor = link.partition("#")
        target = (document.parent / path).resolve() if path else document
        if not target.exists() or (anchor and anchor not in map(slug, HEADING.findall(target.read_text("utf-8")))):
            broken.append(link)
    assert broken == []


@pytest.mark.parametrize("name", [name for name in NAMES if name != "CHANGELOG.md"])
def test_every_module_that_is_named_is_there(name: str) -> None:
    """A path of a module or folder in code, as `trace/place.py` or `bundle/reading/`, is the end of one that exists."""
    spans = {span.strip("`") for span in CODE.findall(FENCE.sub("", (CHECKOUT / name).read_text("utf-8")))}
    named = {span for span in spans if re.fullmatch(r"[\w./-]+\.py|(?:[a-z_]+/)+", span)}
    assert {span for span in named if not is_there(span) and span not in NOT_OURS} == set()


def is_there(path: str) -> bool:
    """Whether a module or folder of the repository has a path that ends so."""
    last = path.rstrip("/").rpartition("/")[2]
    found = (
        other
        for root in ("tracer", "unpackers", "tests", "scripts", "docs", "fixtures")
        for other in (CHECKOUT / root).rglob(last)
    )
    return (CHECKOUT / path).exists() or any(
        f"/{other.relative_to(CHECKOUT).as_posix()}".endswith(f"/{path.rstrip('/')}") for other in found
    )


def test_files_that_are_pages_of_the_site_are_there() -> None:
    """Each file outside of docs/ that the site shows has the page that says so."""
    for source, page in PAGES.items():
        assert (CHECKOUT / source).exists()
        assert f"]({'../' * page.count('/')}{source})." in (CHECKOUT / page).read_text("utf-8")


def list_answers() -> list[tuple[str, str, str]]:
    """Return question, file and name of each row."""
    return ANSWER.findall((CHECKOUT / "docs/architecture/questions.md").read_text("utf-8"))


def list_defined(path: Path) -> Iterator[str]:
    """Yield the names that a module defines: functions, classes, constants; and methods, as `Class.method`."""
    for node in ast.parse(path.read_text("utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name
        if isinstance(node, ast.ClassDef):
            yield from (f"{node.name}.{part.name}" for part in node.body if isinstance(part, ast.FunctionDef))
        if isinstance(node, ast.Assign):
            yield from (target.id for target in node.targets if isinstance(target, ast.Name))
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            yield node.target.id


def test_fifteen_questions_are_answered() -> None:
    """The page has a row for each question, and no row of another form."""
    text = (CHECKOUT / "docs/architecture/questions.md").read_text("utf-8")
    assert len(list_answers()) == 15
    assert sum(line.startswith("|") for line in text.splitlines()) == 15 + 2


@pytest.mark.parametrize("question, file, name", list_answers())
def test_answer_names_a_file_that_defines_the_name(question: str, file: str, name: str) -> None:
    """The file that answers a question is there, and defines what the answer names."""
    assert (CHECKOUT / file).is_file(), question
    assert name in set(list_defined(CHECKOUT / file)), question


def list_commands() -> dict[str, click.Command]:
    """Return the commands by name, synonyms that are not listed included."""
    context = click.Context(group, info_name="rtrace")
    names = {*group.list_commands(context), "run"}
    return {name: command for name in sorted(names) if (command := group.get_command(context, name)) is not None}


COMMANDS = list_commands()


def list_options(command: click.Command) -> set[str]:
    """Return the options of a command, as one types them."""
    return {option for parameter in command.params for option in parameter.opts} | {"--help", "-h"}


def is_right(call: str) -> bool:
    """Whether rtrace has the command and the options of a call, which is given without `rtrace`."""
    words = iter(call.split())
    for word in words:
        if not word.startswith("-"):
            break
        if word.partition("=")[0] not in list_options(group):
            return False
        if word == "--color":
            next(words, None)
    else:
        return True
    if word == "COMMAND":  # any of them
        return True
    if word not in COMMANDS:
        return False
    options = list_options(COMMANDS[word])
    for argument in words:
        if argument == "--" or (word == "trace" and argument.startswith(("./", "sh", "python3"))):
            return True  # what follows is the traced command's own
        if argument.startswith("-") and argument.strip("[]").partition("=")[0] not in options:
            return False
    return True


def find_wrong_calls(text: str) -> list[str]:
    """Return the calls in a text whose command or options rtrace does not have."""
    return [call for call in CALL.findall(read_code(text)) if not is_right(call)]


@pytest.mark.parametrize("name", [name for name in NAMES if name != "CHANGELOG.md"])
def test_every_command_and_option_is_known(name: str) -> None:
    """Where a document calls rtrace, the command and its options are among those that rtrace has."""
    assert find_wrong_calls((CHECKOUT / name).read_text("utf-8")) == []


@pytest.mark.parametrize(
    "call", ["rtrace pakc", "rtrace pack --no-such", "rtrace --no-such pack", "rtrace verify -x b.rpz"]
)
def test_wrong_call_is_found(call: str) -> None:
    """A command or option that rtrace does not have is told from those that it has."""
    assert find_wrong_calls(f"Type `{call}`.") == [call.removeprefix("rtrace ")]


@pytest.mark.parametrize("name", [name for name in NAMES if name != "CHANGELOG.md"])
def test_spelling_is_british_and_words_are_plain(name: str) -> None:
    """No American spelling, and none of the phrases that a native reader stumbles over."""
    words = read_prose(CHECKOUT / name)
    found = {match[0] for match in re.finditer(rf"\b(?:{AMERICAN}|{STUMBLING})\b", words)}
    assert found - ALLOWED == set()


def test_readme_is_short() -> None:
    """The README has fewer than 120 lines."""
    assert len((CHECKOUT / "README.md").read_text("utf-8").splitlines()) < 120


def test_citation_names_the_version() -> None:
    """CITATION.cff names the version of the package."""
    assert f"\nversion: {__version__}\n" in (CHECKOUT / "CITATION.cff").read_text("utf-8")


@pytest.mark.parametrize("name", [*NAMES, "CITATION.cff", ".pre-commit-config.yaml", ".github/workflows/ci.yml"])
def test_document_names_no_place_of_one_machine(name: str) -> None:
    """No document names a folder of the machine that it was written on."""
    assert re.findall(r"/work/\S*|/root/\.\S*|/tmp/pytest\S*", (CHECKOUT / name).read_text("utf-8")) == []
