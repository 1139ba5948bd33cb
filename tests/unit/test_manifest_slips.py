"""Typical slips of a person who edits a manifest at night, and the exact sentence that each one gets."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtrace.errors import ManifestError
from rtrace.manifest.reading import keys
from rtrace.manifest.reading.load import load
from rtrace.manifest.render import render
from whole_manifest import WHOLE

HEAD = 'version: 1\nrtrace: "0.1.0"\nruns: []\n'
WRITTEN = render(WHOLE)
LINE = 1 + WRITTEN[: WRITTEN.index("environ: as run1")].count("\n")


def with_descriptors(descriptors: str) -> str:
    """Return a manifest whose only run was given these descriptors, in line 18."""
    head = "version: 1\nrtrace: a\nruns:\n  - id: run1\n    argv: [a]\n    binary: /x\n    workingdir: /\n    uid: 0\n"
    rest = "    gid: 0\n    umask: '022'\n    hostname: h\n    architecture: x86_64\n    system: [Linux, '6']\n"
    more = "    distribution: [debian, '12']\n    started: 1\n    finished: 2\n    environ: {}\n"
    return f"{head}{rest}{more}    descriptors: [{descriptors}]\n"


SLIPS = {
    "tab": (HEAD + "exclude:\n\t- /a\n", "line 5, column 1: YAML is not indented with tabs; use spaces"),
    "descriptor above all": (
        with_descriptors("{descriptor: 1024, kind: 'null'}"),
        "line 18, column 19: a replay has no descriptor above 1023",
    ),
    "descriptor without path": (
        with_descriptors("{descriptor: 3, kind: file}"),
        "line 18, column 19: a `path` goes with `kind: file` and `kind: pipe`, and with no other",
    ),
    "descriptor closed": (
        with_descriptors("{descriptor: 3, kind: closed}"),
        "line 18, column 19: standard streams alone are `closed`; leave the descriptor out",
    ),
    "descriptor of standard output": (
        with_descriptors("{descriptor: 1, kind: file, path: /a}"),
        "line 18, column 19: a standard stream is `closed` here; a file to be read goes under `stdin`",
    ),
    "descriptor as a higher one": (
        with_descriptors("{descriptor: 3, kind: same, same: 3}"),
        "line 18, column 19: `same` goes with `kind: same`, and is the number of a lower descriptor",
    ),
    "descriptor twice": (
        with_descriptors("{descriptor: 3, kind: 'null'}, {descriptor: 3, kind: 'null'}"),
        "line 18, column 18: a descriptor is here twice",
    ),
    "descriptor of another kind": (
        with_descriptors("{descriptor: 3, kind: socket}"),
        "line 18, column 41: 'socket' is not a kind of descriptor; choose one of: file, pipe, same, null, closed",
    ),
    "tab in item": (
        HEAD + "packages:\n  - name: a\n\tversion: b\n",
        "line 6, column 1: YAML is not indented with tabs; use spaces",
    ),
    "missing colon": (HEAD + "exclude\n  - /a\n", "line 4, column 1: a colon is missing after exclude"),
    "missing colon in run": (
        "version: 1\nrtrace: a\nruns:\n  - id: run1\n    argv [a]\n    binary: /x\n",
        "line 5, column 5: a colon is missing after argv",
    ),
    "no space after colon": (HEAD + "exclude:[/a]\n", "line 4, column 8: a space is missing after exclude:"),
    "no space after colon scalar": (
        "version:1\nrtrace: a\nruns: []\n",
        "line 1, column 9: a space is missing after version:",
    ),
    "no space after dash": (
        HEAD + "exclude:\n  -/a\n  -/b\n",
        "line 5, column 3: a list is expected here; a space is missing after the dash",
    ),
    "dup": (HEAD + "exclude: []\nexclude: []\n", "line 5, column 1: the key 'exclude' occurs twice"),
    "hash in path": (
        HEAD + "include: [/data/a #1.csv]\n",
        "line 4, column 19: a comment begins at this #; quote the string if it belongs to it",
    ),
    "hash in path block": (
        HEAD + "include:\n  - #data\n",
        'line 5, column 4: a string is expected here; write "" for an empty one, and quote one with a # in front',
    ),
    "indent less": (
        "version: 1\nrtrace: a\nruns:\n  - id: run1\n   argv: [a]\n",
        "line 5, column 4: this line is indented by 3, and those beside it are by 2",
    ),
    "indent more": (
        "version: 1\nrtrace: a\nruns:\n  - id: run1\n      argv: [a]\n",
        "line 5, column 7: this line is indented further than the one above, which has a value already",
    ),
    "indent item": (
        HEAD + "exclude:\n  - /a\n - /b\n",
        "line 6, column 2: this line is indented by 1, and those beside it are by 0",
    ),
    "key indented": (
        HEAD + " exclude: []\n",
        "line 4, column 2: this line is indented by 1, and those beside it are by 0",
    ),
    "unclosed quote": (
        HEAD + 'exclude: ["/a]\n',
        "line 4, column 11: the string that begins here has no closing quote",
    ),
    "unclosed quote block": (
        HEAD + 'exclude:\n  - "/a\n  - /b\ninclude: []\n',
        "line 5, column 5: the string that begins here has no closing quote",
    ),
    "unclosed bracket": (
        HEAD + "exclude: [/a, /b\ninclude: []\n",
        "line 4, column 10: what begins here has no closing ], or lacks a comma",
    ),
    "unclosed brace": (
        HEAD + "packages:\n  - {name: a, version: b\n  - {name: c}\n",
        "line 5, column 5: what begins here has no closing }, or lacks a comma",
    ),
    "comma missing": (
        HEAD + "packages:\n  - {name: a version: b}\n",
        "line 5, column 21: a comma or } is missing before this",
    ),
    "comma missing list": (HEAD + 'exclude: ["/a" "/b"]\n', "line 4, column 16: a comma or ] is missing before this"),
    "star unquoted": (
        HEAD + "exclude: [**/*.tmp]\n",
        "line 4, column 11: a string that begins with * has to be quoted",
    ),
    "star unquoted 2": (
        HEAD + "exclude:\n  - *.tmp\n",
        "line 5, column 5: a string that begins with * has to be quoted",
    ),
    "amp": (
        HEAD + "exclude: [&x]\n",
        "line 4, column 11: anchors and aliases (& and *) are not allowed; quote the string, or write it out",
    ),
    "bang": (
        HEAD + "exclude:\n  - !x\n",
        "line 5, column 5: the tag '!x' is not allowed; the only one is !!binary before a string",
    ),
    "backslash": (
        HEAD + 'exclude: ["C:\\data"]\n',
        "line 4, column 14: within double quotes a backslash is written \\\\; or use single quotes",
    ),
    "bracket pattern": (
        HEAD + "exclude:\n  - [a-z]*.tmp\n",
        "line 5, column 5: a string that begins with [ has to be quoted",
    ),
    "brace pattern": (
        HEAD + "exclude:\n  - {a,b}.tmp\n",
        "line 5, column 5: a string that begins with { has to be quoted",
    ),
    "percent": (HEAD + "exclude:\n  - %a\n", "line 5, column 5: a string that begins with % has to be quoted"),
    "at": (HEAD + "exclude:\n  - @a\n", "line 5, column 5: a string that begins with @ has to be quoted"),
    "backtick": (HEAD + "exclude:\n  - `a`\n", "line 5, column 5: a string that begins with ` has to be quoted"),
    "colon in value": (
        HEAD + "notices:\n  - kind: a\n    what: it said: no\n    advice: x\n",
        "line 6, column 18: a string with a colon and a space in it has to be quoted",
    ),
    "quote in single": (
        HEAD + "exclude: ['it's']\n",
        "line 4, column 15: a comma or ] is missing before this; within single quotes ' is written ''",
    ),
    "string for list": (HEAD + "exclude: /a\n", "line 4, column 10: a list is expected here: [/a]"),
    "list with commas": (HEAD + "exclude: /a, /b\n", "line 4, column 10: a list is expected here: [/a, /b]"),
    "capital True": (
        HEAD + "packages: [{name: a, version: a, architecture: a, manager: a, files: 1, size: 1, pack: True}]\n",
        "line 4, column 88: true or false is expected here, not 'True'",
    ),
    "no": (
        HEAD + "packages: [{name: a, version: a, architecture: a, manager: a, files: 1, size: 1, pack: no}]\n",
        "line 4, column 88: true or false is expected here, not 'no'",
    ),
    "quoted true": (
        HEAD + 'packages: [{name: a, version: a, architecture: a, manager: a, files: 1, size: 1, pack: "false"}]\n',
        'line 4, column 88: true or false is expected here, not "false" in quotes',
    ),
    "relative": (HEAD + "include: [data/x]\n", "line 4, column 11: a path that begins with / is expected here"),
    "tilde": (
        HEAD + "include: [~/data]\n",
        "line 4, column 11: a path that begins with / is expected here; ~ and variables are not replaced",
    ),
    "var": (
        HEAD + "include: [$HOME/data]\n",
        "line 4, column 11: a path that begins with / is expected here; ~ and variables are not replaced",
    ),
    "capital key": (HEAD + "Exclude: []\n", "line 4, column 1: a manifest has no key 'Exclude'; did you mean exclude?"),
    "singular": (HEAD + "package: []\n", "line 4, column 1: a manifest has no key 'package'; did you mean packages?"),
    "nested wrong": (
        HEAD + "packages:\n  name: a\n  pack: false\n",
        "line 5, column 3: a list is expected here; begin each item with a dash and a space",
    ),
    "quoted number": (
        'version: "1"\nrtrace: a\nruns: []\n',
        'line 1, column 10: a whole number is expected here, not "1" in quotes',
    ),
    "size with unit": (
        HEAD + "packages: [{name: a, version: a, architecture: a, manager: a, files: 1, size: 3 MB}]\n",
        "line 4, column 79: a whole number is expected here, not '3 MB'",
    ),
    "thousands": (
        HEAD + "packages: [{name: a, version: a, architecture: a, manager: a, files: '1', size: 3,000}]\n",
        (f"line 4, column 83: a package has no key '000'; known are {', '.join(keys.PACKAGE)}"),
    ),
    "smart quotes": (
        HEAD + "include: [\u201c/data/x\u201d]\n",
        "line 4, column 11: a path that begins with / is expected here; the quotes of YAML are \" and '",
    ),
    "nbsp": (
        HEAD + "exclude:\n\xa0\xa0- /a\n",
        "line 5, column 1: what looks like a space here is another character; indent with plain spaces",
    ),
    "merge": (
        '<<<<<<< mine\nversion: 1\nrtrace: "0.1.0"\nruns: []\n',
        "line 1, column 1: a merge has left this line; choose one of the two versions, and delete its marks",
    ),
    "json comment": (
        '// x\nversion: 1\nrtrace: "0.1.0"\nruns: []\n',
        "line 1, column 1: a comment begins with #, not with //",
    ),
    "equals": (HEAD + "exclude = [/a]\n", "line 4, column 8: a colon is wanted after exclude, not ="),
    "empty name": (
        HEAD + "inputs: [{name: , path: /a}]\n",
        'line 4, column 17: a string is expected here; write "" for an empty one, and quote one with a # in front',
    ),
    "literal": (
        HEAD + "exclude: |\n  /a\n  /b\n",
        "line 4, column 10: a list is expected here, in brackets or an item a line",
    ),
    "environment of nobody": (
        WRITTEN.replace("environ: as run1", "environ: as ru1"),
        f"line {LINE}, column 14: this names the run 'ru1', which is not among those above; did you mean as run1?",
    ),
    "environment without as": (
        WRITTEN.replace("environ: as run1", "environ: run1"),
        (
            f"line {LINE}, column 14: a mapping of names to values is expected here, a list of NAME=VALUE, or `as` and"
            " the id of a run above"
        ),
    ),
    "item outside": (
        HEAD + "- /a\n",
        "line 4, column 1: an item of a list begins here, and the list above has ended; put it below the others",
    ),
    "document": (HEAD + "---\nexclude: []\n", "line 4, column 1: a manifest is one document; a second one begins here"),
}


@pytest.mark.parametrize("slip", sorted(SLIPS))
def test_a_slip_gets_a_sentence_that_helps(slip: str) -> None:
    """The sentence names the place where a person has to do something, and says what."""
    text, sentence = SLIPS[slip]
    with pytest.raises(ManifestError) as caught:
        load(text, "m.yml")
    assert str(caught.value) == f"m.yml, {sentence}"


@pytest.mark.parametrize("line_break", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_other_editors_make_no_mistakes(line_break: str, mark: str) -> None:
    """The line breaks and the byte order mark of another system are none, and do not move the place of one."""
    text = mark + HEAD.replace("\n", line_break)
    assert load(text).runs == ()
    with pytest.raises(ManifestError, match=r"^m.yml, line 4, column 1: a manifest has no key 'exlude'; did you mean"):
        load(f"{text}exlude: []{line_break}", "m.yml")
    with pytest.raises(ManifestError, match=r"^m.yml, line 5, column 1: YAML is not indented with tabs; use spaces$"):
        load(f"{text}exclude:{line_break}\t- /a{line_break}", "m.yml")


@settings(deadline=None)
@given(st.data())
def test_any_slip_is_told_in_a_sentence(data: st.DataObject) -> None:
    """A manifest with characters taken out or put in is read, or refused with a place; nothing else happens."""
    text = render(WHOLE)
    for _ in range(data.draw(st.integers(1, 3))):
        start = data.draw(st.integers(0, len(text)))
        end = start + data.draw(st.integers(0, 3))
        text = (
            text[:start] + data.draw(st.text("\t\n\r\x85\u2028 #:-,[]{}\"'*&!|>%@`?a1\\/<=", max_size=3)) + text[end:]
        )
    refusal = None
    try:
        load(text, "m.yml")
    except ManifestError as error:
        refusal = str(error)
    assert refusal is None or re.match(r"m\.yml, line [1-9][0-9]*, column [1-9][0-9]*: ", refusal)
