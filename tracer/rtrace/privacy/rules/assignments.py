"""Secrets by the names that they are given: in settings, programs, scripts, notebooks and data."""

from __future__ import annotations

import re

from rtrace.privacy.rules.likeness import is_likely, is_random
from rtrace.privacy.rules.names import END, LENGTHS, LONGEST, NAME, STRONG_NAMES
from rtrace.privacy.rules.rule import FILE, NOTHING, Rule

SETTINGS = re.compile(
    rb"(?:/\.?env(?:rc|\.[^/]*)?|/\.flaskenv|/\.?[Rr]environ(?:\.[^/]*)?|/[._]?netrc|/\.my\.cnf|/\.pgpass"
    rb"|\.(?:env|ini|cfg|cnf|conf|config|properties|props|json|jsonc|json5|toml|ya?ml|tfvars|tfstate|xml|plist|hocon|edn"
    rb"|service|desktop|secret|secrets|credentials|nmconnection|ovpn|reg))\Z"
)
"""Files in which a name and a value are all there is."""

_CLOSING = rb"(?:[\"'`\\]{0,4}[\])]{0,2})"
_TYPE = rb"(?::[ \t]{0,4}[\w.\[\], |?]{1,40}|[ \t]string)[ \t]{0,4}="
_EQUALS = _TYPE + rb"|:?={1,3}>?|[?+!]=|:{1,2}|<{1,2}-"
_IN_MARKUP = rb"\s{0,8}/?>\s{0,80}|</(?i:key|name|string)>\s{0,80}<[\w:]{1,20}>\s{0,8}"
# `name: PASSWORD, value: x`, and the same in XML and Terraform
_FURTHER = (
    rb"[\s,{]{1,80}(?:type\s{0,8}=\s{0,8}\w{1,16}\s{1,16})?(?:-\s{1,8})?[\"'\\]{0,3}"
    rb"(?i:value|val|default|string|content|text|data)[\"'\\]{0,3}\s{0,8}[:=]\s{0,8}"
)
_BEFORE_WORD = (
    rb"(?:" + _FURTHER + rb"|\s{0,16}(?:" + _EQUALS + rb")\s{0,32}|" + _IN_MARKUP + rb"|\\?'?\np[0-9]{1,6}\n[VS])"
)
_BEFORE_QUOTE = (
    rb"(?:"
    + _FURTHER
    + rb"|\s{0,16}(?:"
    + _EQUALS
    + rb"|,|\|)\s{0,32}|"
    + _IN_MARKUP
    + rb"|[ \t](?:or|\?\?|\|\|)[ \t]|[ \t]{1,16}(?=[\"']))"
)
_WRAPPING = rb"(?:[\w.:]{1,40}\(\s{0,8})?[A-Za-z@]{0,2}"
_QUOTED = (
    rb"(?P<open>\\{0,3}(?P<quote>[\"'`]))(?P<value>[^\s\"'`\\]{4,512}(?=\\{0,3}(?P=quote))"
    rb"|(?:(?!(?P=quote))[^\s\\]|\\(?![\"'`nrt])){4,256}?(?=\\{0,3}(?P=quote)))"
)
_BARE = rb"(?P<word>[^\s\"'`\\<>{}()\[\],;&|]{4,512})(?=[\s,;\"'`\\)\]}<&|]|\Z)"
_BEFORE = re.compile(
    rb"(?:^|[{,(])[ \t>#/*<]{0,64}(?:-[ \t]{1,8})?[\"']?"
    rb"(?:(?:export|set|setx|declare|local|readonly|env|ENV|ARG|Environment=[\"']?)"
    rb"[ \t]{1,8}(?:-[\w]{1,4}[ \t]{1,8}){0,3})?[$\"']?(?:env:)?[\w. <>\[\]\"'/@:=-]{0,128}\Z",
    re.MULTILINE,
)
_GIVEN = re.compile(
    rb"(?:\bexport|\bset|\bsetx|\bdeclare|\breadonly|\bENV|\bARG|\bEnvironment=[\"']?)[ \t]{1,8}[\w. -]{0,80}\Z"
)


_UUID = re.compile(rb"[0-9A-Fa-f]{8}(?:-?[0-9A-Fa-f]{4}){3}-?[0-9A-Fa-f]{12}")
_LISTED = re.compile(rb"(?=.*[0-9].*[0-9])(?=.*[A-Za-z].*[A-Za-z])[^.:/%_-]{8,}")
_CHAINED = re.compile(rb"[\w.$]+={1,2}[^=]", re.ASCII)
_ATTRIBUTE = re.compile(rb"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+", re.ASCII)
_PUBLIC = re.compile(rb"(?i:public|publishable|websocket|next[-_]?page)[-_]?(?:key[-_]?)?\Z")
_CONTEXT = 200
_NUMBERED = re.compile(rb"(?i:session|signature|license)")


def _find_name(match: re.Match[bytes]) -> bytes:
    """Return the name before a match, which begins behind it; nothing if it is a piece of another word."""
    found = NAME.search(match.string, max(match.start() - LONGEST, 0), match.start())
    return b"" if found is None else found[0]


def _is_strong(match: re.Match[bytes], name: bytes) -> bool:
    return STRONG_NAMES.fullmatch(name + match["end"]) is not None


def _is_random(name: bytes, value: bytes) -> bool:
    """Whether a value looks random, and is no mere number of a session or the like."""
    return is_random(value) and not (_UUID.fullmatch(value) and _NUMBERED.search(name))


def _is_literal(match: re.Match[bytes], value: bytes) -> bool:
    """Whether what stands in quotes is a secret: in all texts alike. Of bare words, fewer are."""
    if not (is_random(value) or is_likely(value, settings=match["mark"] == b"=")):
        return False
    name = _find_name(match)
    if not name or _is_public(match, name):
        return False
    if match["word"] is not None:
        return _is_assigned(match, name, value)
    return _is_random(name, value) or _is_password(match, name, value, settings=False)


def _is_setting(match: re.Match[bytes], value: bytes) -> bool:
    """Whether a setting is a secret; with a name such as `password`, whatever it is."""
    value = next(iter(value.split()), value)
    if not (is_random(value) or is_likely(value, settings=True)):
        return False
    name = _find_name(match)
    likely = _is_random(name, value) or _is_password(match, name, value, settings=True)
    return bool(name) and likely and not _is_public(match, name) and _stands_alone(match, name)


def _is_password(match: re.Match[bytes], name: bytes, value: bytes, *, settings: bool) -> bool:
    """Whether a value is named as a password and may be one; among many words, the name may be one of them."""
    listed = match["joint"].strip() in {b"", b","}
    return (
        _is_strong(match, name)
        and is_likely(value, settings=settings and not listed)
        and (not listed or _LISTED.fullmatch(value) is not None)
    )


def _is_assigned(match: re.Match[bytes], name: bytes, value: bytes) -> bool:
    """Whether a bare word is a secret: in programs, most such words are names."""
    given = match["mark"] == b"=" and _GIVEN.search(_read_before(match, name)) is not None
    if _CHAINED.match(value) and not given:
        return False
    if _is_random(name, value) and not _ATTRIBUTE.fullmatch(value):
        return True
    if not _is_strong(match, name):
        return False
    if given:
        return is_likely(value, settings=True)
    shouted = name.isupper() and b"=" in match["mark"] and is_likely(value, settings=False)
    return _has_all(value) or (shouted and b"." not in value)


def _has_all(value: bytes) -> bool:
    """Whether a word has letters and digits, and is not a call or an attribute in a program."""
    return (
        is_likely(value, settings=False)
        and re.search(rb"[A-Za-z]", value) is not None
        and re.search(rb"[0-9]", value) is not None
        and b"." not in value
    )


def _is_public(match: re.Match[bytes], name: bytes) -> bool:
    """Whether it is the name of what everybody may know."""
    return _PUBLIC.search(_read_before(match, name)[-24:]) is not None


def _stands_alone(match: re.Match[bytes], name: bytes) -> bool:
    """Whether nothing but a name stands before the match on its line, or within its brackets."""
    return _BEFORE.search(_read_before(match, name)) is not None


def _read_before(match: re.Match[bytes], name: bytes) -> bytes:
    """Return what stands before a name."""
    start = match.start() - len(name)
    return match.string[max(start - _CONTEXT, 0) : start]


_ENDED = rb"(?P<end>" + END + rb")"

ASSIGNMENTS = (
    Rule(
        "secret-setting",
        "a setting that is named as a secret",
        SETTINGS,
        re.compile(
            _ENDED + _CLOSING + rb"(?P<joint>" + _BEFORE_QUOTE + rb")"
            rb"(?:\\{0,3}(?P<quote>[\"'`]))?(?P<value>(?(quote)(?:(?!(?P=quote))[^\r\n\\]){4,512}"
            rb"|[^\s\"'`\\<>{}()\[\],;][^\s\"'`\\<>{}]{2,512}))(?(quote)(?=(?P=quote))|)"
        ),
        tuple(LENGTHS),
        re.compile(rb"(?:[ \t]{1,8}(?![#;])[^\s\"'\\,}\]#;]{1,256}){0,16}"),
        640,
        starts=True,
        check=_is_setting,
        loose=True,
        skips=LENGTHS,
    ),
    Rule(
        "secret-literal",
        "a password, key or token written in a program or text",
        FILE,
        re.compile(
            _ENDED
            + _CLOSING
            + rb"(?:(?P<joint>"
            + _BEFORE_QUOTE
            + rb")"
            + _WRAPPING
            + _QUOTED
            + rb"|(?P<mark>"
            + _BEFORE_WORD
            + rb")"
            + _BARE
            + rb")"
        ),
        tuple(LENGTHS),
        NOTHING,
        640,
        starts=True,
        check=_is_literal,
        loose=True,
        skips=LENGTHS,
    ),
    Rule(
        "login",
        "a password beside a user in a program",
        FILE,
        re.compile(
            rb"(?i:auth|login|credentials?|userpwd)[\w.]{0,40}\s{0,4}(?:=\s{0,4})?\(\s{0,8}[\"'][^\"'\s]{1,80}[\"']\s{0,4},\s{0,8}"
            rb"(?P<quote>[\"'])(?P<value>[^\s\"'<>{}$]{6,256})(?P=quote)"
        ),
        (b"auth(", b"auth=(", b"auth = (", b"login(", b"credentials(", b"credentials=(", b"credentials = ("),
        NOTHING,
        640,
        starts=True,
        check=lambda _, value: is_likely(value, settings=False),
        loose=True,
    ),
)
