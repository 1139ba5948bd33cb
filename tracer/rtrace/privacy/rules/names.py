"""The names that secrets have, and the words that find them."""

from __future__ import annotations

import re

_JOINS = (b"_", b"-", b"", b".", b" ")
_ALONE = tuple(b"password passwords passwd passphrase passcode passwort pwd pw pass psk secret".split())
_JOINED = ((b"api", b"key"), (b"secret", b"key"), (b"private", b"key"), (b"auth", b"token"), (b"access", b"token"))
_OF_TOKENS = tuple(
    (
        b"token secrets credential credentials creds cookie cookies auth jwt bearer pat sas mnemonic"
        b" connectionstring connection_string apitoken _key -key _signature -signature sessionid session_id session"
    ).split()
)
_OF_KEYS = tuple(
    (
        b"api access private secret auth account shared encryption signing master license service subscription app"
        b" application storage server client consumer deploy admin webhook ingest project management function host"
        b" instrumentation token session security hmac crypto cipher aes write user root wallet"
    ).split()
)
_SPOKEN = tuple(b"api access secret private license".split())
STRONG = (*_ALONE, *(join.join(words) for words in _JOINED for join in _JOINS))
"""Names of what is a secret whatever it looks like."""
_QUALIFIED = (
    *(kind + b"key" for kind in _OF_KEYS),
    *(kind + join + b"key" for kind in _SPOKEN for join in (b".", b" ")),
)
WEAK = (*_OF_TOKENS, *_QUALIFIED)
"""Names of what may be one, if it looks like one."""
_ENDS = tuple(b"base64 b64 hex value string text prod production dev staging live".split())
_MARKS = (b"=", b":", b'"', b"'", b" =", b" :", b">", b"]", b"\\", b",", b"`", b"\t", b" <-", b")", b' "', b" '")
_FURTHER_MARKS = (b"<", b"*", b"  =", b"   =", b"  :", b" |", b" {", b"()", b" string", b" is ")
_DIGITS = tuple(mark + b"%d" % digit for mark in (b"", b"_") for digit in range(1, 4))
_SHORT = tuple(b"pass pwd pw auth pat sas psk jwt session".split())
"""Names that occur in other words, and beside much that is not secret."""
_ANY_KEY = (b"_key", b"-key")


def any_of(words: tuple[bytes, ...]) -> bytes:
    """Return a pattern for one of some words, the longest first."""
    return b"|".join(re.escape(word) for word in sorted(set(words), key=lambda word: (-len(word), word)))


def _find_lengths() -> dict[bytes, int]:
    """Return the needles, names with what may stand between them and a value, and how long the name is in each."""
    words = [word for word in dict.fromkeys(STRONG + _OF_TOKENS) if word not in _ANY_KEY]
    ends = (*_MARKS, *_FURTHER_MARKS, *(b"_" + end for end in _ENDS))
    long = (*ends, b"\n", b"\r", *_DIGITS)
    lengths = {word + mark: len(word) for word in (*_QUALIFIED, *_ANY_KEY) for mark in _MARKS}
    return lengths | {word + mark: len(word) for word in words for mark in (ends if word in _SHORT else long)}


# Short words are no names behind other letters, as in `compass`, unless they begin with a capital, as in `dbPass`.
NAME = re.compile(
    rb"(?:(?i:"
    + any_of(tuple(word for word in STRONG + WEAK if word not in _SHORT))
    + rb")|(?:(?<![A-Za-z])(?i:"
    + any_of(_SHORT)
    + rb")|(?<=[a-z])(?:"
    + any_of(tuple(word.capitalize() for word in _SHORT if word != b"pw"))
    + rb")))\Z"
)
LONGEST = max(map(len, STRONG + WEAK))
END = rb"(?i:[-_.]?(?:[0-9]{1,3}|" + any_of(_ENDS) + rb"))?"
STRONG_NAMES = re.compile(rb"(?i:" + any_of(STRONG) + rb")" + END, re.IGNORECASE)
LENGTHS = _find_lengths()
