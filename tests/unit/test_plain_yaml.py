"""Files of parameters that are read without PyYAML hold what PyYAML reads in them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtrace.manifest.reading.plain import read_plain
from rtrace.manifest.reading.values import read_documents

PARTS = (
    *("a", "b-c", "rate", "no", "On", "null", "x_1", "1", "-", "- ", "?", ": ", ":", " ", "  ", "\n", "\n  ", "\n    "),
    *("# c", " #", "#", '"', "'", "1.5", "0", "017", "-0", "1e3", "1.5e+3", ".5", "0.", "1_000", "12:30", "2020-01-01"),
    *("/data/x.csv", "./a b", "~", "&a", "*a", "!", "[1]", "{}", ",", "|", ">", "---", "...", "%", "@", "`", "<<", "="),
    *("\t", "\r", "\\", "é", "tRue", "yes", "plain words", '"a: b"', "'it'", "key: 1\n", "key:\n  in: 2\n"),
)


def read_both(text: str) -> tuple[object, object]:
    """Return what the two readers say of a text."""
    try:
        documents = read_documents(text, most=10_000, deepest=8)
    except ValueError:
        return read_plain(text, deepest=8), "no YAML"
    return read_plain(text, deepest=8), documents[0] if len(documents) == 1 else documents


@given(st.lists(st.sampled_from(PARTS), max_size=12).map("".join))
def test_what_is_read_without_pyyaml_is_what_it_reads(text: str) -> None:
    """Whatever a text looks like: either nothing is said of it, or the same."""
    plain, whole = read_both(text)
    assert plain is None or (plain == whole and repr(plain) == repr(whole))


@given(
    st.recursive(
        st.sampled_from(("1", "-2.50", "word", "two words", "true", "Off", "'a, b'", '"x: y"', "/a/b", "3  # so")),
        lambda inner: st.dictionaries(st.sampled_from(("a", "b", "c_d", "e-f")), inner, min_size=1, max_size=3),
        max_leaves=8,
    ).filter(lambda value: isinstance(value, dict))
)
def test_plain_mappings_are_read_without_pyyaml(value: object) -> None:
    """Those are the ones that people write: what they say is the same, and it is said."""
    plain, whole = read_both(write(value, 0))
    assert plain is not None
    assert (plain, repr(plain)) == (whole, repr(whole))


def write(value: object, indent: int) -> str:
    """Return a mapping as somebody would write it."""
    assert isinstance(value, dict)
    lines = []
    for name, item in value.items():
        rest = f"\n{write(item, indent + 2)}" if isinstance(item, dict) else f" {item}\n"
        lines.append(f"{' ' * indent}{name}:{rest}")
    return "# a comment\n\n" + "".join(lines)


@pytest.mark.parametrize(
    "text",
    ["", "a", "a:", "a: 1\n b: 2", "a:\n- 1", "a: [1]", "010: 1", "a: 010", "a: &x 1", "a: 1e3", "a:\t1"],
)
def test_of_all_else_nothing_is_said(text: str) -> None:
    """It is for PyYAML to read, or to refuse."""
    assert read_plain(text, deepest=8) is None


def test_a_nesting_deeper_than_let_in_is_not_read() -> None:
    """The other reader refuses it, too."""
    text = "".join(f"{' ' * depth}a:\n" for depth in range(20)) + " " * 20 + "a: 1\n"
    assert read_both(text) == (None, "no YAML")
