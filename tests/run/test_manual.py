"""The manual pages: what is in them, and that troff has nothing to say against it."""

import subprocess
from pathlib import Path

import pytest

from rtrace.cli.frame.commands import COMMANDS, rtrace
from rtrace.cli.frame.manual import _escape, render_pages

PAGES = render_pages(rtrace)
HEADINGS = ["NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS OF ALL COMMANDS", "EXIT STATUS", "EXAMPLES", "SEE ALSO"]


def test_there_is_a_page_for_each_command() -> None:
    """One page for rtrace, one for each command, and each is the same when it is made again."""
    assert PAGES.keys() == {"rtrace.1", *(f"rtrace-{name}.1" for name in COMMANDS)}
    assert render_pages(rtrace) == PAGES


@pytest.mark.parametrize("name", sorted(PAGES))
def test_pages_have_all_sections_in_order(name: str) -> None:
    """Each page has the headings of man-pages(7) in their order, and -h beside --help."""
    lines = PAGES[name].splitlines()
    headings = [line.removeprefix(".SH ") for line in lines if line.startswith(".SH ")]
    assert [heading for heading in headings if heading in HEADINGS] == HEADINGS
    assert any("help" in line and ("-h" in line or name == "rtrace-list.1") for line in lines)


@pytest.mark.requires("groff", "man")
@pytest.mark.parametrize("name", sorted(PAGES))
def test_pages_render_without_a_warning(tmp_path: Path, name: str) -> None:
    """Neither groff with all its warnings nor man complains, and what is shown is what the page means."""
    (tmp_path / name).write_text(PAGES[name], encoding="ascii")
    for command in (["groff", "-ww", "-man", "-Tutf8", "-P-cbou", name], ["man", "--warnings=w", "-l", name]):
        done = subprocess.run(command, check=True, capture_output=True, cwd=tmp_path, text=True)
        assert done.stderr == ""
        assert "EXIT STATUS" in done.stdout
        assert "128+N" in done.stdout


@pytest.mark.requires("groff")
def test_every_character_is_shown_as_it_is(tmp_path: Path) -> None:
    """What troff would take for a command of its own stays text, at the beginning of a line as well."""
    text = ".so /etc/passwd \\n(.x 'quoted' \"twice\" -- ^ ~ `code` caf\u00e9"
    (tmp_path / "page.1").write_text(f'.TH "X" "1"\n.SH NAME\n{_escape(text)}\n', encoding="ascii")
    command = ["groff", "-ww", "-man", "-Tutf8", "-P-cbou", "-rLL=200n", "page.1"]
    done = subprocess.run(command, check=True, capture_output=True, cwd=tmp_path, text=True)
    assert (text in done.stdout, done.stderr) == (True, "")
