"""What has the last word on a match, by the names that ``rules.conf`` has for it."""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import TYPE_CHECKING

from rtrace.privacy.rules.likeness import is_example, is_likely, is_random, is_real, is_template
from rtrace.privacy.rules.rule import is_random_value, is_real_value

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rtrace.privacy.rules.rule import Check

_COOKIES = 4096
_NEAR = 2000
_DOCUMENT = 4096
_MEANT = re.compile(rb"(?i:.*(?:token|secret|passw(?:or)?d|pwd|pass|api[-_]?key|access_key|auth|signature|sig))")
_PARTS = re.compile(
    rb"(?i:\b(?:server|data source|host|hostaddr|dbname|database|initial catalog|driver|dsn|uid|user id|user|username"
    rb"|endpoint|accountname|sharedaccesskeyname|port|sslmode|account|abortconnect|ssl)[ \t]?=)"
)
_RANDOM_NAMES = re.compile(
    rb"(?:key|token|secret|auth|authorization|creds?|credentials?|pat|sas|dsn|jwt|cookie|session|license|webhook|sig|signature|pw|pass|pwd|password|psk|salt"
    rb"|seed|mnemonic|bearer|apikey|login|header|headers)[0-9]{0,3}\Z",
    re.IGNORECASE,
)
_SPEAKING = re.compile(
    rb"(?:(?<![\w-])(?i:setenv|set|export|env|arg)[ \t]{1,8}(?:-[a-z]{1,3}[ \t]{1,4}){0,3}[\w.-]{0,64}"
    rb"|(?:\A|\n)[ \t]{0,16}(?:(?:machine|login|default)[ \t][^\n]{0,160})?)\Z"
)
_OPTION = re.compile(
    rb"(?:\A|[\s\"'\[(])-(?:-(?:[A-Za-z0-9]{1,32}[-_]){0,4})?\Z|(?:\A|[\s\"'\[(])--(?:[A-Za-z0-9]{1,32}[-_]){1,4}\Z"
)
_PUBLIC_NAMES = re.compile(rb"(?:GPG|PUBLIC|PUBLISHABLE|SSH_HOST)_?(?:KEY|TOKEN)\Z|XAUTHORITY|.*_ID\Z", re.IGNORECASE)


def _is_in_query(match: re.Match[bytes], value: bytes) -> bool:
    """Whether a parameter of an address is a secret."""
    if b"badge" in match.string[max(match.start() - 40, 0) : match.start()]:  # a picture that everybody may see
        return False
    name = match["name"].lower()
    return is_random(value) or (_MEANT.fullmatch(name) is not None and is_likely(value, settings=b"pass" in name))


def _is_password(match: re.Match[bytes], value: bytes) -> bool:
    """Whether what stands between `:` and `@` is a password: not what its user is called, and no example of one."""
    if match["word"] is not None:
        return _is_user(match, value)
    return value != match["user"] and not is_example(value)


def _is_user(match: re.Match[bytes], value: bytes) -> bool:
    """Whether the user of an address of the web or of a repository looks random."""
    scheme = match.string[max(match.start() - 8, 0) : match.start()]
    return is_random(value) and re.search(rb"(?i:https?|git|svn|ftps?|wss?)\Z", scheme) is not None


def _is_cookie(_: re.Match[bytes], value: bytes) -> bool:
    """Whether one of several cookies has a value that looks random."""
    return any(is_random(part.partition(b"=")[2].strip(b" ")) for part in value[:_COOKIES].split(b";"))


def _is_in_path(_: re.Match[bytes], value: bytes) -> bool:
    return is_real(value) and len(value) >= 16  # noqa: PLR2004 -- shorter ones are names


def _is_connection(match: re.Match[bytes], value: bytes) -> bool:
    """Whether there are other parts of a connection string on the same line."""
    text, begin, end = match.string, match.start(), match.end()
    start, stop = text.rfind(b"\n", max(begin - 400, 0), begin) + 1, text.find(b"\n", end, end + 400)
    around = text[max(start, begin - 400) : begin] + b" " + text[end : stop if stop >= 0 else end + 400]
    closed = b";" in text[max(begin - 1, 0) : begin] + text[end : end + 1]
    return is_likely(value.rstrip(b",)]"), settings=closed) and _PARTS.search(around) is not None


def _is_login(_: re.Match[bytes], value: bytes) -> bool:
    return is_random(value) or is_likely(value, settings=False)


def _is_given(_: re.Match[bytes], value: bytes) -> bool:
    return not is_example(value)


def _is_set(_: re.Match[bytes], value: bytes) -> bool:
    """Whether a run was given a value, however weak: what looks like an example in a text is a real one there."""
    return not is_template(value)


def _looks_secret(match: re.Match[bytes], value: bytes) -> bool:
    """Whether a variable with a telling name has a value that looks random."""
    name = match["name"]
    return is_random(value) and _RANDOM_NAMES.search(name) is not None and not _PUBLIC_NAMES.match(name)


def _is_spoken(match: re.Match[bytes], value: bytes) -> bool:
    """Whether a word behind a name is a secret, as in `setenv X_TOKEN x` and `machine x login y password z`."""
    likely = is_random(value) or is_likely(value, settings=False)
    text = match.string
    return likely and _SPEAKING.search(text[max(match.start() - 200, 0) : match.start()]) is not None


def _is_option(match: re.Match[bytes], value: bytes) -> bool:
    """Whether what follows an option in a text is its value, and no word for it."""
    before = match.string[max(match.start() - 140, 0) : match.start() + 1]
    return _OPTION.search(before) is not None and is_likely(value.rstrip(b".,;:)]"), settings=False)


def _is_literal(_: re.Match[bytes], value: bytes) -> bool:
    """Whether what stands in quotes may be a password."""
    return is_likely(value, settings=False)


def _is_beside_key_type(match: re.Match[bytes], _: bytes) -> bool:
    """Whether the type of a JSON web key stands near."""
    return b"kty" in match.string[max(match.start() - _NEAR, 0) : match.end() + _NEAR]


def _is_in_kubernetes_secret(match: re.Match[bytes], _: bytes) -> bool:
    """Whether the YAML document around a match, as far as it is near, is a secret of Kubernetes."""
    text = match.string
    begin = text.rfind(b"\n---", max(match.start() - _DOCUMENT, 0), match.start())
    end = text.find(b"\n---", match.end(), match.end() + _DOCUMENT)
    document = text[max(begin, match.start() - _DOCUMENT, 0) : end if end >= 0 else match.end() + _DOCUMENT]
    return re.search(rb"(?m)^kind:[ \t]*[\"']?Secret\b", document) is not None


CHECKS: Mapping[str, Check] = MappingProxyType(
    {
        "beside-key-type": _is_beside_key_type,
        "connection": _is_connection,
        "cookie": _is_cookie,
        "in-kubernetes-secret": _is_in_kubernetes_secret,
        "in-path": _is_in_path,
        "in-query": _is_in_query,
        "likely": _is_literal,
        "login": _is_login,
        "named-random": _looks_secret,
        "no-example": _is_given,
        "no-template": _is_set,
        "option": _is_option,
        "password-in-address": _is_password,
        "random": is_random_value,
        "real": is_real_value,
        "spoken": _is_spoken,
    }
)
