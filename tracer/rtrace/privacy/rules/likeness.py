"""Whether a value looks like a secret: made by chance rather than written by a person, and no example."""

from __future__ import annotations

import re
from itertools import pairwise

# How often one letter follows another in words and names, from 0 to 9: a row for each first letter, a digit for each
# second one. Counted in the modules of Python's standard library; letters by chance have 4.0 on average.
_PAIRS = (
    "36662351504767060768443341"
    "75547432752843741664722152"
    "73547327606643840657521030"
    "74469532822544641564532130"
    "63675542302657353877243630"
    "64557732801644740656622140"
    "63439356702646640775622022"
    "83348322703554830556511140"
    "55665550102669751577150405"
    "74458532635344750373735020"
    "64559453733645551475535030"
    "73458331803733740365531060"
    "85348321703553771364521130"
    "73677582614434640378551020"
    "45662451414668560866645310"
    "82448335603733761856532050"
    "34352522300734234665942012"
    "73558341704554740566432050"
    "52648436704543663378633140"
    "73548426802543641765523151"
    "66546540600768460777010200"
    "83539432700344640454213131"
    "83457436804446741764223310"
    "54757534701563582458332552"
    "54646553612666581577244244"
    "73439323702453642445321044"
)
_LEAST = 12
"""Bytes that a value has at least that looks random."""
_LONG = 256
_SHORT = 4
_FEWEST = 3
_WORD = 8
_EXAMPLE = re.compile(
    rb"example|change[-_]?(?:me|it|this)|placeholder|redacted|replace[-_]?(?:me|with|this)|insert[-_]|dummy|fixme"
    rb"|(?:my|your|the|some|new|old)[-_]?(?:\w+[-_])?(?:password|pass|secret|token|key)|\byour[-_]|not[-_]a[-_]|fake[-_]"
    rb"|<[^>]*>|[$#]\{|\$\(|\{\{|\[\[|\{[\w.]*\}|%\(|(?-i:%[sdr]\b)|x{5}|\*{3}|\.{3}|_{4}|0{10}|123456789|abcdefgh"
    rb"|IkpvaG4gRG9l",  # John Doe, of the examples of tokens
    re.IGNORECASE,
)
_TEMPLATE = re.compile(
    rb"example|change[-_]?(?:me|it|this)|placeholder|redacted|replace[-_]?(?:me|with|this)|insert[-_]|dummy|fixme|your[-_]"
    rb"|<[^>]*>|[$#]\{|\$\(|\{\{|\[\[|%\(|x{5}|\*{3}|\.{3}|_{4}",
    re.IGNORECASE,
)
_WORDS = frozenset(
    (
        b"none null nil true false yes no on off undefined unknown default empty string str bytes text int required"
        b" optional hidden password passwd passphrase pass pwd pw secret secrets token tokens key apikey api_key"
        b" api-key user username admin administrator root guest test testing tests demo sample foo foobar bar postgres"
        b" mysql"
        b" mariadb redis mongo rabbitmq minio minioadmin prompt input keyring env environment file stdin basic"
        b" bearer"
        b" utf-8 utf8 latin1 ascii files compat sss nis digest oauth oauth2 auth self this me todo tbd n/a changeit"
    ).split()
)
_REFERENCE = re.compile(
    rb"[a-z][a-z0-9+.-]*://|(?:~|\.{1,2})?/[\w.-]+/|arn:|[a-z]:\\|data:|urn:|sha(?:1|256|384|512)[-:]|md5:|op://|ref\+|vault:|\$\w+(?:[/:.]|\Z)|0x[0-9a-f]{1,16}[a-z]{0,3}\Z|![A-Za-z]"
    rb"|(?:os|process|import\.meta|sys|env|config|settings|self|args|opts?|options|params|ctx|secrets|vars)\.[\w.]+\Z",
    re.IGNORECASE,
)
_PLAIN = re.compile(rb"[\w+/=.~:!@#%&,;-]+", re.ASCII)
_IRREGULAR = re.compile(rb"[A-Z](?=[a-z][A-Z])")
_CODE = re.compile(rb"\w\(|\(\?|\[\^|[\[-][a-z]-|->|<\w|\\[wdsb]")
_NUMBER = re.compile(rb"[-+]?[0-9][0-9._,]*(?:e[-+]?[0-9]+|[a-z]{1,2})?", re.IGNORECASE)
_LABEL = re.compile(rb"[A-Z_]+|[A-Z][a-z]+|[a-z]{1,5}", re.ASCII)


def is_example(value: bytes) -> bool:
    """Whether a value only stands for one: a word such as ``changeme``, a variable to be filled in, an example."""
    word = value.lower().rstrip(b".,;:")
    if not _WORDS.isdisjoint((word, word.rstrip(b"0123456789!"))):
        return True
    return _EXAMPLE.search(value) is not None or len(set(value)) < _FEWEST


def is_template(value: bytes) -> bool:
    """Whether a value says nothing: a word such as ``none``, or a place where one is to be filled in."""
    return value.lower() in _WORDS or _TEMPLATE.search(value) is not None or len(set(value)) < _FEWEST


def is_real(value: bytes) -> bool:
    """Whether a value that has the shape of a secret may be one."""
    if value.lower() in _WORDS or _EXAMPLE.search(value):
        return False
    return len(set(value)) >= min(len(value) // 3, 7)


def is_random(value: bytes) -> bool:
    """Whether a value looks as if made by chance: no name, word, path, version, address or example."""
    if len(value) < _LEAST or not _PLAIN.fullmatch(value) or _REFERENCE.match(value) or not is_real(value):
        return False
    text = value[:_LONG].lower()
    pairs = total = 0
    changes = len(_IRREGULAR.findall(value[:_LONG]))
    before = 0
    for byte in text:
        if 97 <= byte <= 122:  # noqa: PLR2004 -- a to z
            if 97 <= before <= 122:  # noqa: PLR2004
                pairs += 1
                total += _SCORES[before - 97][byte - 97]
            elif 48 <= before <= 57:  # noqa: PLR2004 -- 0 to 9
                changes += 1
        elif 48 <= byte <= 57 and 97 <= before <= 122:  # noqa: PLR2004
            changes += 1
        before = byte
    score = total / pairs if pairs else 0
    return (
        (changes >= 4 and (changes >= 6 or score < 6.2))  # noqa: PLR2004
        or (changes >= 3 and score < 5.5)  # noqa: PLR2004
        or (changes >= 1 and score < 5)  # noqa: PLR2004
        or (pairs >= 6 and score < 4.6)  # noqa: PLR2004
    )


def is_likely(value: bytes, *, settings: bool) -> bool:
    """Whether a value that is named as a password may be one: a person has made it up, or a program.

    In ``settings`` every value is meant; elsewhere a word may be a name, a label or the type of something.
    """
    if is_example(value) or _REFERENCE.match(value) or _NUMBER.fullmatch(value):
        return False
    if is_random(value):
        return True
    if settings:
        return len(value) >= _SHORT and not _LABEL.fullmatch(value)
    if len(value) <= _SHORT or _CODE.search(value):
        return False
    marks = re.sub(rb"[\w.:/ \x80-\xff-]", b"", value, flags=re.ASCII) and re.search(rb"(?:[^\W_].{0,8}){5}", value)
    unlikely = len(value) >= _WORD and value.isalpha() and (_score(value) < 5.6 or not _is_cased(value))  # noqa: PLR2004
    return bool(marks) or unlikely or re.search(rb"[0-9]", value) is not None


def _is_cased(value: bytes) -> bool:
    """Whether capitals stand as in names: at the beginning of words of some length, or everywhere."""
    words = re.findall(rb"[A-Z]{0,5}[a-z]+|[A-Z]+", value)
    return value.isupper() or (len(words) <= len(value) // 3 and sum(len(word) <= 2 for word in words) < 2)  # noqa: PLR2004


def _score(value: bytes) -> float:
    """Return how much letters are like those of words: 4 for letters by chance, more for words."""
    text = value.lower()
    pairs = [_SCORES[one - 97][other - 97] for one, other in pairwise(text)]
    return sum(pairs) / len(pairs) if pairs else 0


_SCORES = tuple(tuple(map(int, _PAIRS[at : at + 26])) for at in range(0, len(_PAIRS), 26))
