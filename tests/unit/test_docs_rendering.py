"""The parts of the reference that are made from the code: commands, the manifest's keys, included pages."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar
from xml.etree import ElementTree as ET

import click

from documentation.commands import escape, render_command, render_commands
from documentation.inclusion import fill_in
from documentation.schema import render_schema
from documentation.terminal_picture import draw, lay_out


class Told(click.Command):
    """A command that knows its exit statuses and examples, as those of rtrace do."""

    statuses: ClassVar = {"0": "it is done", "3": "it is *raw*"}
    examples = ("rtrace boil --hot egg",)


@click.command(cls=Told, help="Boil EGG.\n\nNot too\nlong.\n\n\b\nsoft  3 minutes\nhard  8 minutes")
@click.option("--hot/--cold", help="How *hot*.")
@click.option("--how", type=click.Choice(["soft", "hard"]))
@click.option("--secret", hidden=True)
@click.option("--loud", is_flag=True, help="Not here.")
@click.argument("egg")
def boil(*, hot: bool, how: str, secret: str, loud: bool, egg: str) -> None:
    """Have a command to render."""


def test_command_has_usage_text_options_statuses_and_examples() -> None:
    """A command's section holds what its --help prints, but for shared options and what --help hides."""
    assert render_command(boil, "boil", {"--loud", "--help"}) == (
        "### boil\n\n"
        "```text\nrtrace boil [OPTIONS] EGG\n```\n\n"
        "Boil EGG.\n\n"
        "Not too long.\n\n"
        "```text\nsoft  3 minutes\nhard  8 minutes\n```\n\n"
        "| option | meaning |\n|---|---|\n| `--hot / --cold` | How \\*hot\\*. |\n| `--how [soft\\|hard]` |  |\n\n"
        "| exit status | meaning |\n|---|---|\n| `0` | it is done |\n| `3` | it is \\*raw\\* |\n\n"
        "```console\n$ rtrace boil --hot egg\n```"
    )


def test_commands_are_grouped_and_shared_options_come_once() -> None:
    """A group's commands stand under their titles, and what all commands share stands once, at the end."""
    group = click.Group(commands={"boil": boil}, params=[click.Option(["--loud"], is_flag=True, help="Shout.")])
    text = render_commands(group, {"Cook": ["boil"], "Eat": []})
    assert [line for line in text.splitlines() if line.startswith("#")] == [
        "## Cook",
        "### boil",
        "## Eat",
        "## Options of all commands",
    ]
    assert text.count("--loud") == 1
    assert "| `--loud` | Shout. |" in text


def test_code_in_prose_stays() -> None:
    """What is Markdown in a text is escaped, and what stands in backquotes is left."""
    assert escape("a*b `c*d` [x]") == "a\\*b `c*d` \\[x\\]"


def test_keys_of_a_schema_become_a_table() -> None:
    """Each mapping of a schema has a table: values in words, examples, links to other mappings."""
    schema = {
        "$defs": {
            "manifest": {
                "required": ["version"],
                "properties": {
                    "version": {"const": 1, "description": "The format."},
                    "parts": {"type": ["array", "null"], "items": {"$ref": "#/$defs/named_file"}},
                    "ignore": {"items": {"$ref": "#/$defs/bytes"}, "examples": [["**/*.log", "stderr"]]},
                },
            },
            "named_file": {"description": "A file.", "properties": {"pack": {"type": "boolean"}}},
            "bytes": {"type": "string"},
        }
    }
    assert render_schema(schema) == (
        "## The manifest\n\n"
        "| key | value | required | meaning |\n|---|---|---|---|\n"
        "| `version` | `1` | yes | The format. |\n"
        "| `parts` | list of [named file](#named-file) |  |  |\n"
        '| `ignore` | list of bytes |  |  For example `["**/*.log", stderr]`. |\n\n'
        "## Named file\n\nA file.\n\n"
        "| key | value | required | meaning |\n|---|---|---|---|\n"
        "| `pack` | boolean |  |  |"
    )


def test_included_file_keeps_its_links(tmp_path: Path) -> None:
    """A page has another file's text without its title, and its links lead to pages of the site."""
    (tmp_path / "tracer").mkdir()
    text = "# Title\n\n[a](FORMAT.md#terms) [b](../docs/x.md) [c](https://example.org) [d](#here)\n"
    (tmp_path / "tracer" / "README.md").write_text(text)
    page = "# Own\n\nThe text of this page is [it](../../tracer/README.md).\n\nEnd.\n"
    assert fill_in(page, "docs/architecture/way.md", tmp_path) == (
        "# Own\n\n[a](../reference/format.md#terms) [b](../x.md) [c](https://example.org) [d](#here)\n\n\nEnd.\n"
    )


def test_picture_shows_what_a_terminal_shows_in_the_end() -> None:
    """A progress bar that was overwritten is gone, long lines go on below, and colours end where they end."""
    lines = lay_out("50 %\r\x1b[Kdone\x1b[32m ok\x1b[m\nabcdef\n", columns=7)
    assert ["".join(character for character, _ in line) for line in lines] == ["done ok", "abcdef"]
    assert len({style for _, style in lines[0]}) == 2
    assert ["".join(character for character, _ in line) for line in lay_out("abcdef", columns=4)] == ["abcd", "ef"]


def test_picture_is_xml_with_the_text_in_it() -> None:
    """The picture is XML, and has a part for each style of a line, with what is special in XML as it was."""
    picture = ET.fromstring(draw(lay_out("a <&> \x1b[1mb\x1b[m\n", columns=20), columns=20))  # noqa: S314 - ours
    spans = picture.findall(".//{http://www.w3.org/2000/svg}tspan")
    assert [(span.text, span.get("font-weight")) for span in spans] == [("a <&> ", None), ("b", "700")]
