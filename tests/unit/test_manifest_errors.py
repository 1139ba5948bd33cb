"""What is wrong with a manifest is told with file, line and column."""

from pathlib import Path

import pytest

from bundle_samples import MANIFEST
from rtrace.errors import ManifestError
from rtrace.manifest.reading.load import load
from rtrace.manifest.render import render

GOOD = render(MANIFEST)
HEAD = "version: 1\nrtrace: x\n"


def changed(old: str, new: str) -> str:
    """Edit the manifest as a person would."""
    assert old in GOOD
    return GOOD.replace(old, new)


def compared(how: str) -> str:
    """Return a manifest with an output that is compared in some way."""
    return HEAD + f"runs: []\noutputs: [{{name: a, path: /a, compare: {how}}}]\n"


WRONG = {
    "nothing": ("", "the manifest is empty"),
    "a comment alone": ("# hello\n", "the manifest is empty"),
    "a list": ("- a\n", "line 1, column 1: a manifest has to be a mapping"),
    "no version": ("rtrace: x\nruns: []\n", "lacks the key 'version'"),
    "version as text": ('version: "1"\n', "line 1, column 10: a whole number"),
    "newer": ("version: 2\nfuture: [1]\n", "line 1, column 10: this manifest has format 2, made by a newer rtrace"),
    "version 0": ("version: 0\n", "no manifest format 0"),
    "no runs": (HEAD, "lacks the key 'runs'"),
    "unknown key": (HEAD + "runs: []\nexlude: []\n", "line 4, column 1: .* no key 'exlude'; did you mean exclude"),
    "key far from any": (HEAD + "runs: []\nqqqq: []\n", "no key 'qqqq'; known are version, rtrace"),
    "key twice": (HEAD + "runs: []\nruns: []\n", "line 4, column 1: the key 'runs' occurs twice"),
    "no YAML": (HEAD + "runs: [\n", "line 4, column 1: a value or a closing bracket is missing before this"),
    "tab": (HEAD + "runs:\n\t- a\n", "line 4, column 1: YAML is not indented with tabs"),
    "control character": (HEAD + "runs: []\nexclude: [\a]\n", "line 4, column 11: this character is not allowed"),
    "runs that are a mapping": (HEAD + "runs: {}\n", "line 3, column 7: a list is expected here"),
    "run that is a word": (HEAD + "runs: [a]\n", "line 3, column 8: a run has to be a mapping"),
    "alias bomb": (HEAD + "a: &a [x, x]\nb: &b [*a, *a]\nruns: *b\n", "line 3, column 4: anchors and aliases"),
    "merge key": (HEAD + "<<: {runs: []}\n", "no key '<<'"),
    "tag": (HEAD + "runs: !!python/object:os.system []\n", "line 3, column 7: the tag"),
    "local tag": (HEAD + "runs: !x []\n", "the tag '!x' is not allowed"),
    "str tag": (HEAD + "runs: []\nexclude: [!!str x]\n", "the tag"),
    "redefined tag": ("%TAG !! tag:x,2000:\n---\n" + HEAD + "runs: !!binary []\n", "the tag"),
    "two documents": (HEAD + "runs: []\n---\na: b\n", "a second one begins here"),
    "deep": (HEAD + "runs: " + "[" * 50 + "]" * 50 + "\n", "nested too deeply"),
    "very deep": (HEAD + "runs: " + "[" * 20_000 + "\n", "nested too deeply"),
    "list as key": (HEAD + "? [a]\n: b\n", "a key has to be a string"),
    "include that is relative": (HEAD + "runs: []\ninclude: [a]\n", "a path that begins with /"),
    "binary that is none": (HEAD + 'runs: []\nexclude: [!!binary "x!"]\n', "not base64"),
    "NUL in binary": (HEAD + 'runs: []\nexclude: [!!binary "YQBi"]\n', "NUL byte"),
    "NUL in text": (HEAD + 'runs: []\nexclude: ["a\\0b"]\n', "NUL character"),
    "surrogate": (HEAD + 'runs: []\nexclude: ["\\ud800"]\n', "not YAML|surrogate"),
    "empty item": (HEAD + "runs: []\nexclude: [~]\n", 'write "" for an empty one'),
    "tolerance above 1": (compared("{tolerance: 2}"), "a tolerance is relative: at most 1"),
    "tolerance below 0": (compared("{tolerance: -1}"), "line 4, column .* not negative"),
    "tolerance as text": (compared('{tolerance: "1e-6"}'), "a number is expected here"),
    "comparison that is a word": (compared("exact"), "a comparison has to be a mapping"),
    "comparison misspelt": (compared("{tolerence: 1e-6}"), "no key 'tolerence'; did you mean tolerance"),
    "expression that is none": (compared("{ignore: ['(']}"), "line 4, column .* no regular expression of Python"),
    "expression that is empty": (compared("{ignore: ['']}"), "it would leave out everything"),
    "expression that is long": (compared(f"{{ignore: [{'a' * 1001}]}}"), "at most 1000 characters"),
    "expressions without number": (compared(f"{{ignore: [{', '.join('a' * 65)}]}}"), "takes 64 expressions"),
    "one expression": (compared("{ignore: '^Date:'}"), r"a list is expected here"),
    "an order": (compared("{order: sorted}"), "kept or any is expected here"),
    "an input that is compared": (compared("{order: any}").replace("outputs", "inputs"), "only what a run writes"),
    "mapping for a string": (HEAD + "runs: []\nexclude: [{a: b}]\n", "a string is expected here, not a mapping"),
    "no argv": (changed('argv: [./run.sh, !!binary "/w==", "a b"]', "argv: []"), "an argv has at least"),
    "argv missing": (changed('    argv: [./run.sh, !!binary "/w==", "a b"]\n', ""), "a run lacks the key 'argv'"),
    "uid that is a word": (changed("uid: 1000", "uid: me"), "a whole number is expected here, not 'me'"),
    "uid below 0": (changed("uid: 1000", "uid: -1"), "not negative"),
    "uid of many digits": (changed("uid: 1000", "uid: " + "9" * 5000), "a whole number"),
    "octal uid": (changed("uid: 1000", "uid: 0o777"), "a whole number"),
    "umask of 9": (changed('umask: "0022"', 'umask: "0029"'), "octal digits"),
    "umask too large": (changed('umask: "0022"', 'umask: "77777"'), "octal digits"),
    "time that is none": (changed("started: 1700000000.25", "started: .nan"), "a number is expected"),
    "time out of hand": (changed("started: 1700000000.25", "started: 1e999"), "a number is expected"),
    "relative workingdir": (changed("workingdir: /data", "workingdir: data"), "begins with /"),
    "system of three": (changed('system: [Linux, "6.1.0"]', "system: [a, b, c]"), "two strings"),
    "environ of a word": (GOOD[: GOOD.index("    environ:")] + "    environ: x\n", "a mapping of names"),
    "variable twice": (changed("      PATH:", '      PATH: "a"\n      PATH:'), "'PATH' occurs twice"),
    "variable with =": (changed("      PATH:", "      A=B:"), "cannot hold an ="),
    "package without name": (HEAD + "runs: []\npackages: [{version: a}]\n", "a package lacks the key 'name'"),
    "pack that is yes": (
        HEAD
        + "runs: []\npackages: [{name: a, version: a, architecture: a, manager: a, files: 1, size: 1, pack: yes}]\n",
        "true or false is expected here, not 'yes'",
    ),
    "input of no run": (
        HEAD + "runs: []\ninputs: [{name: a, path: /a, runs: [r]}]\n",
        "column 37: this names the run 'r', which is not among the runs; there is none",
    ),
    "input name twice": (
        HEAD + "runs: []\ninputs: [{name: a, path: /a}, {name: a, path: /b}]\n",
        "the name of the input 'a' occurs twice",
    ),
    "run id twice": (GOOD.replace("runs:\n", "runs:\n" + GOOD.split("runs:\n")[1].split("\n\n")[0] + "\n", 1), "twice"),
    "digest that is none": (HEAD + "runs: []\ndigests: {a: b}\n", "64 hexadecimal digits"),
}


@pytest.mark.parametrize("name", sorted(WRONG))
def test_errors_name_the_place(name: str) -> None:
    """The sentence begins with the file, has the line and column, and says what is wanted there."""
    text, sentence = WRONG[name]
    with pytest.raises(ManifestError, match=sentence) as caught:
        load(text, "my.yml")
    assert str(caught.value).startswith("my.yml, line ")
    assert ", column " in str(caught.value)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    """A file that is not there, is no text, or is huge is told in a sentence."""
    with pytest.raises(ManifestError, match=r"cannot read .*No such file"):
        load(tmp_path / "no.yml")
    path = tmp_path / "m.yml"
    path.write_bytes(b"version: 1\nrtrace: \xff\n")
    with pytest.raises(ManifestError, match=r"m.yml, line 2: this is not UTF-8"):
        load(path)
    with path.open("wb") as file:
        file.truncate(17 << 20)
    with pytest.raises(ManifestError, match="larger than 16 MiB"):
        load(path)


def test_what_a_person_types_is_taken_as_typed() -> None:
    """Words, numbers and versions need no quotes where text is wanted; keys may be left out or left empty."""
    text = changed('argv: [./run.sh, !!binary "/w==", "a b"]', "argv: [./run.sh, 3.10, no, 007, 1_000]")
    text = text.replace("exclude: []", "exclude:\n").replace("outputs: []\n", "")
    found = load(text)
    assert found.runs[0].argv == (b"./run.sh", b"3.10", b"no", b"007", b"1_000")
    assert found.exclude == ()
    assert found.outputs == ()


@pytest.mark.parametrize(
    "text", ['version: "1\\n2"\n', 'version: "\\0"\n', "version: 1\nruns: [{id: a, argv: \\\u202eb}]\n"]
)
def test_what_a_sentence_quotes_is_escaped(tmp_path: Path, text: str) -> None:
    """A line break or a control character of the manifest never gets into the sentence about it."""
    (tmp_path / "m.yml").write_text(text)
    with pytest.raises(ManifestError) as raised:
        load(tmp_path / "m.yml")
    assert str(raised.value).isprintable()
