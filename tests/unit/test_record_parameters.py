"""Parameters of a run: words of a command and files of names and values, and what is let in of hostile ones."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtrace.record.facts.parameter_files import LARGEST_FILE, find_kind, read_parameter_file
from rtrace.record.facts.parameters import MOST_VALUES, read_command_line


def words(*argv: str, main: str | None = None) -> dict[str, object]:
    """Read a command line as names and values."""
    return {fact["name"]: fact["value"] for fact in read_command_line(["program", *argv], main)}


def values(path: str, content: str | bytes, *, named: bool = False) -> dict[str, object]:
    """Read a file as names and values."""
    data = content if isinstance(content, bytes) else content.encode()
    return {fact["name"]: fact["value"] for fact in read_parameter_file(path, data, named=named)}


@pytest.mark.parametrize(
    "argv,expected",
    [
        (["--alpha=0.5"], {"alpha": 0.5}),
        (["--alpha", "0.5"], {"alpha": 0.5}),
        (["--alpha", "-0.5"], {"alpha": -0.5}),
        (["-n", "3"], {"n": 3}),
        (["-n3", "-O2"], {"n": 3, "O": 2}),
        (["--fast"], {"fast": True}),
        (["--fast", "--alpha=1"], {"fast": True, "alpha": 1}),
        (["alpha=1e-3", "mode=slow"], {"alpha": 0.001, "mode": "slow"}),
        (["--fast", "alpha=1"], {"fast": True, "alpha": 1}),
        (["input.csv", "7"], {"#1": "input.csv", "#2": 7}),
        (["--", "--alpha", "1"], {"#2": "--alpha", "#3": 1}),
        (["-", "-5"], {"#1": "-", "#2": -5}),
        (["--name=", "--on=true"], {"name": "", "on": True}),
        (["007", "1_000", "0x10", "nan"], {"#1": "007", "#2": "1_000", "#3": "0x10", "#4": "nan"}),
        (["9" * 30], {"#1": "9" * 30}),
        (["1e999"], {"#1": "1e999"}),
        (["--a.b[0]=x=y"], {"a.b[0]": "x=y"}),
        (["-"], {"#1": "-"}),
        ([], {}),
    ],
)
def test_words_of_a_command(argv: list[str], expected: dict[str, object]) -> None:
    """Each way to write a parameter on a command line is known; a value is a number where it is written as one."""
    assert words(*argv) == expected


def test_the_words_before_a_script_are_its_interpreters() -> None:
    """Of `python -u run.py --alpha 1` the parameters are those of `run.py`."""
    assert words("-u", "run.py", "--alpha", "1", main="run.py") == {"alpha": 1}
    assert words("-u", "run.py", main="other.py") == {"u": "run.py"}


@given(st.lists(st.text(), max_size=8))
def test_any_words_are_read(argv: list[str]) -> None:
    """No word of a command keeps it from being read, and what is read can be written as JSON."""
    facts = read_command_line(["program", *argv])
    assert len(facts) <= len(argv)
    json.dumps(facts, allow_nan=False)


NESTED = {"model.rate": 0.5, "model.layers[0]": 3, "model.layers[1]": "x", "seed": 7, "quick": True, "none": None}


def test_yaml() -> None:
    """Names are joined by dots and numbers in brackets, and types are YAML's; a date is text."""
    text = "model: {rate: 0.5, layers: [3, x]}\nseed: 7\nquick: yes\nnone:\nday: 2020-01-02\nquoted: '7'\n"
    assert values("p.yaml", text) == {**NESTED, "day": "2020-01-02", "quoted": "7"}


def test_yaml_with_anchors_and_several_documents() -> None:
    """Aliases and merge keys are what they stand for; documents are numbered where there are several."""
    text = "base: &b {x: 1, y: 2}\nmine: {<<: *b, y: 3}\n"
    assert values("p.yml", text) == {"base.x": 1, "base.y": 2, "mine.x": 1, "mine.y": 3}
    assert values("p.yml", "a: 1\n---\na: 2\n") == {"[0].a": 1, "[1].a": 2}


def test_json() -> None:
    """Types are JSON's, and what JSON does not know is text."""
    text = '{"model": {"rate": 0.5, "layers": [3, "x"]}, "seed": 7, "quick": true, "none": null, "inf": Infinity}'
    assert values("p.json", text) == {**NESTED, "inf": "Infinity"}


def test_toml() -> None:
    """Types are TOML's, and a date is text."""
    text = 'seed = 7\nquick = true\nday = 2020-01-02\n[model]\nrate = 0.5\nlayers = [3, "x"]\n'
    expected = {name: value for name, value in NESTED.items() if value is not None}
    assert values("p.toml", text) == {**expected, "day": "2020-01-02"}


def test_ini() -> None:
    """Sections come before the names, comments and quotes go, and lines that go on belong to the value before them."""
    text = '; comment\ntop = 1\n[model]\nrate: 0.5 ; half\nname = "a # b"\nlong = one\n  two\nalone\n[a.b]\nx=y\n'
    assert values("p.ini", text) == {
        "top": 1,
        "model.rate": 0.5,
        "model.name": "a # b",
        "model.long": "one\ntwo",
        "model.alone": "",
        '["a.b"].x': "y",
    }


def test_assignments() -> None:
    """Lines of `name = value`, as Sumatra's simple parameter sets have them; where they are named, any ending does."""
    text = "# comment\ntau_m = 20.0\nexport n: 5\nname = 'x'  # why\n"
    expected = {"tau_m": 20.0, "n": 5, "name": "x"}
    assert values("defaults.param", text) == expected
    assert values("defaults.txt", text) == {}
    assert values("defaults.txt", text, named=True) == expected


@pytest.mark.parametrize("path", ["a.py", "Makefile", "data.csv", "notes.md", "x.tex"])
def test_texts_that_are_no_parameters(path: str) -> None:
    """A script has lines that look like parameters, and is none; so is a text with any other line."""
    assert find_kind(path, named=True) is None
    assert values("notes.txt", "alpha = 1\nand then we went home\n", named=True) == {}


def test_keys_that_could_be_taken_for_two_are_quoted() -> None:
    """A dot in a key is not a step into what it holds."""
    assert values("p.json", '{"a.b": 1, "a": {"b": 2}, "": 3}') == {'["a.b"]': 1, "a.b": 2, '[""]': 3}


LAUGHS = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{new}: &{new} [{', '.join([f'*{old}'] * 9)}]\n" for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)
EMPTY_LAUGHS = LAUGHS.replace("[x, x, x, x, x, x, x, x, x]", "[]")
MERGED_LAUGHS = f"a: &a {{{', '.join(f'k{n}: 1' for n in range(9000))}}}\n"
MERGED_LAUGHS += "".join(f"m{n}: {{<<: *a}}\n" for n in range(900))
HOSTILE: dict[str, str | bytes] = {
    "laughs.yaml": LAUGHS,
    "empty-laughs.yaml": EMPTY_LAUGHS,
    "merged.yaml": MERGED_LAUGHS,
    "key.yaml": LAUGHS + "? *i\n: 1\n",
    "itself.yaml": "a: &a [*a]\n",
    "unknown.yaml": "a: *nothing\n",
    "object.yaml": "!!python/object/apply:os.system ['touch /tmp/evil']: [1, 2\n",
    "deep.yaml": "[" * 100_000,
    "deep.json": "[" * 100_000,
    "deep-mapping.json": '{"a":' * 5000 + "1" + "}" * 5000,
    "deep.toml": "a = " + "[" * 100_000,
    "dotted.toml": ".".join(["a"] * 100_000) + " = 1\n",
    "many.json": json.dumps(list(range(MOST_VALUES + 1))),
    "many.yaml": "- 1\n" * (5 * MOST_VALUES),
    "large.json": json.dumps("x" * LARGEST_FILE),
    "line.ini": "a = " + " " * 500_000 + "x\n",
    "brackets.ini": "[" * 500_000,
    "colons.params": ":" * 500_000,
    "bytes.json": b"\xff\xfe{}",
    "nothing.json": "",
    "broken.toml": "= 1",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files_have_no_parameters(name: str) -> None:
    """What explodes, nests without end, is too much or malformed is left out, without an error."""
    assert values(name, HOSTILE[name]) == {}


def test_a_tag_of_python_is_not_obeyed() -> None:
    """A YAML tag that PyYAML's unsafe loader would run is read as the plain list that it stands before."""
    assert values("p.yaml", "a: !!python/object/apply:os.getcwd []\n") == {"a": "[]"}
    assert values("p.yaml", "a: !mine 5\n") == {"a": 5}


def test_huge_numbers_are_text() -> None:
    """A number beyond 64 bits stays as it is written, also one of more digits than Python reads."""
    digits = "7" * 6000
    contents = {"p.json": f'{{"a": {digits}}}', "p.yaml": f"a: {digits}\n", "p.ini": f"a = {digits}\n"}
    for name, content in contents.items():
        assert values(name, content) == {"a": digits}
    assert values("p.toml", "a = 0xffffffffffffffffffff\n") == {"a": "1208925819614629174706175"}


LEAVES = st.none() | st.booleans() | st.integers(-(1 << 63), (1 << 63) - 1) | st.text(max_size=5)
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
)


@given(VALUES)
def test_each_value_of_a_json_has_a_name_of_its_own(value: object) -> None:
    """No two values of a file share a name."""
    facts = read_parameter_file("p.json", json.dumps(value).encode())
    assert len({fact["name"] for fact in facts}) == len(facts)


@given(st.binary(max_size=200), st.sampled_from(["p.yaml", "p.toml", "p.ini", "p.param", "p.json"]))
def test_any_bytes_are_read(content: bytes, path: str) -> None:
    """No content of a file is an error, and what is read can be written as JSON."""
    json.dumps(read_parameter_file(path, content, named=True), allow_nan=False)
