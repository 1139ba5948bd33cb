"""Patterns of paths: what they match, and that no pattern takes long to say so."""

import re
from fnmatch import fnmatchcase

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from rtrace.files.patterns import Patterns

PIECES = [
    b"a",
    b"b",
    b"/",
    b"*",
    b"**",
    b"**/",
    b"?",
    b"[a]",
    b"[!a]",
    b"[b-a]",
    b"[^]",
    b"[!]]",
    b"\\*",
    b"/**/",
    b"/*",
]
TOKEN = re.compile(rb"\*\*/?|\*|\?|\[[!^]?\]?[^\]/]*\]|\\.|.", re.DOTALL)
WILDCARDS = {b"**/": b"(?:.*/)?", b"**": b".*", b"*": b"[^/]*", b"?": b"[^/]"}


def translate(token: bytes) -> bytes:
    """Write a token as an expression that tries every way, as slowly as that may be."""
    if token in WILDCARDS:
        return WILDCARDS[token]
    if token.startswith(b"[") and token not in {b"[", b"[^]", b"[!]"}:
        negated = token[1:2] in {b"!", b"^"}
        found = re.findall(rb"(?s)(.)-(.)|(.)", token[1 + negated : -1])
        allowed = {
            byte for byte in range(256) if any(first <= bytes([byte]) <= last for first, last, one in found if not one)
        }
        allowed |= {one[0] for *_, one in found if one}
        return (
            b"["
            + b"".join(b"\\x%02x" % byte for byte in range(256) if (byte in allowed) != negated and byte != 47)
            + b"]"
            if allowed or negated
            else b"(?!)"
        )
    return re.escape(token[1:] if token.startswith(b"\\") else token)


def matches(pattern: bytes, path: bytes) -> bool:
    """Return what a pattern means, by the definition of its tokens."""
    whole = (pattern if pattern.startswith(b"/") else b"/**/" + pattern).rstrip(b"/")
    return re.match(b"(?s:" + b"".join(map(translate, TOKEN.findall(whole))) + b")(?:/|\\Z)", path) is not None


@settings(deadline=None, max_examples=1000)
@given(
    st.lists(st.sampled_from(PIECES), min_size=1, max_size=7).map(b"".join),
    st.lists(st.text("ab*]^", min_size=1, max_size=3), min_size=1, max_size=4).map(lambda names: "/" + "/".join(names)),
)
@example(b"/a*b*b", "/abab")
@example(b"a*/**/*b", "/x/ab/a/b")
@example(b"*a**/b", "/xa/b")
@example(b"**/*/**", "/a")
def test_patterns_mean_what_their_tokens_do(pattern: bytes, path: str) -> None:
    """However a pattern is run, it matches what its tokens match one after the other."""
    assert Patterns([pattern]).match(path.encode()) == matches(pattern, path.encode())


@settings(deadline=None)
@given(
    st.lists(st.lists(st.sampled_from(PIECES), min_size=1, max_size=5).map(b"".join), max_size=4),
    st.text("ab/", min_size=1, max_size=9),
)
def test_several_patterns_match_what_one_of_them_does(patterns: list[bytes], path: str) -> None:
    """Patterns that are compiled together do not disturb each other."""
    assert Patterns(patterns).match(path.encode()) == any(matches(pattern, path.encode()) for pattern in patterns)


PLAIN = ["a", "b", "*", "?", "[a]", "[!a]", "[ab]", "[a-b]", "]", "."]


@settings(deadline=None)
@given(
    st.lists(st.sampled_from(PLAIN), min_size=1, max_size=5).map("".join).filter(lambda text: "**" not in text),
    st.text("abc.]", min_size=1, max_size=5),
)
def test_a_name_is_matched_as_a_shell_does(pattern: str, name: str) -> None:
    """Within a name the wildcards and sets mean what they do in fnmatch, from the root or from any folder."""
    wanted = fnmatchcase(name, pattern)
    assert Patterns([f"/{pattern}".encode()]).match(f"/{name}".encode()) == wanted
    assert Patterns([pattern.encode()]).match(f"/c/c/{name}".encode()) == (wanted or fnmatchcase("c", pattern))


@pytest.mark.parametrize(
    "pattern, path",
    [
        (b"*a" * 30, b"/" + b"a" * 200 + b"b"),
        (b"/" + b"*a" * 100 + b"*b", b"/" + b"a" * 255),
        (b"**a" * 30 + b"b", b"/" + b"a" * 4000),
        (b"/**/a" * 100 + b"/b", b"/a" * 2000),
        (b"a*/**/" * 50 + b"b", b"/aa" * 1300),
        (b"?*" * 50 + b"/**?" * 50 + b"b", b"/" + b"a/" * 2000),
        (b"[" * 8000, b"/" + b"[" * 255),
        (b"*[!b]" * 50 + b"b", b"/" + b"a" * 255),
    ],
)
def test_no_pattern_takes_long(pattern: bytes, path: bytes) -> None:
    """A pattern that could share a path between its wildcards in more ways than there are atoms is answered at once."""
    assert not Patterns([pattern]).match(path)
