"""Entries and results from lines of JSON, which `rtrace.bundle.index.dumping` has written: the indexes of a bundle."""

from __future__ import annotations

from base64 import b64decode
from binascii import Error as Base64Error
from json import JSONDecodeError, JSONDecoder
from sys import intern
from typing import TYPE_CHECKING, Any

from rtrace.bundle.entry import Entry, FileType, Result
from rtrace.bundle.index.usual_lines import UsualLines
from rtrace.errors import BundleError, HostileBundleError
from rtrace.printable import shorten, shorten_path

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import TypeVar

    T = TypeVar("T")

_LINE_LIMIT = 4 << 20
"""Bytes; far more than paths, holes and attributes take, far less than would cost memory that counts."""
NAMING_OTHERS = (b'"link":', b'"copy_of":')
"""What stands in the line of an entry that names another one, as rtrace writes it."""
_TYPES = {kind.value: kind for kind in FileType}


def load_entries(parts: Iterable[bytes]) -> tuple[Entry, ...]:
    """Read the lines of an index of files. Raises BundleError for what is no entry; the paths are not judged here.

    The lines come in parts of any length, so that they need not all be in memory beside what is made of them.
    """
    return tuple(iterate_entries(parts))


def load_results(parts: Iterable[bytes]) -> tuple[Result, ...]:
    """Read the lines of an index of results. Raises BundleError for what is no result."""
    return tuple(iterate_results(parts))


def iterate_entries(parts: Iterable[bytes], only: tuple[bytes, ...] = ()) -> Iterator[Entry]:
    """Yield the entries one by one, as ``load_entries`` reads them; ``only`` those with one of these in their lines."""
    return _load(parts, _entry, UsualLines().read_entry, only)


def iterate_results(parts: Iterable[bytes]) -> Iterator[Result]:
    """Yield the results one by one, as ``load_results`` reads them."""
    return _load(parts, _result, UsualLines().read_result)


class _NotALineError(Exception):
    """What is wrong with a line, to be told with its number."""


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _NotALineError("a key twice")
    return found


def _no_constant(name: str) -> None:
    raise _NotALineError(name)


_DECODER = JSONDecoder(object_pairs_hook=_unique, parse_constant=_no_constant)


def _split(parts: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the lines, without their ends; splits at newlines alone, as JSON has none within a line."""
    number = 1
    rest = b""
    for part in parts:
        *lines, rest = (rest + part).split(b"\n")
        for line in lines:
            if len(line) > _LINE_LIMIT:
                raise BundleError(f"line {number} is longer than any that rtrace writes")
            yield line
            number += 1
        if len(rest) > _LINE_LIMIT:
            raise BundleError(f"line {number} is longer than any that rtrace writes")
    if rest:
        raise BundleError("its last line is cut off")


def _load(
    parts: Iterable[bytes],
    convert: Callable[[dict[str, Any]], T],
    read_usual: Callable[[bytes], T | None],
    only: tuple[bytes, ...] = (),
) -> Iterator[T]:
    """Read each line: at once if it is a usual one."""
    for number, content in enumerate(_split(parts), 1):
        if only and not any(map(content.__contains__, only)):
            continue
        try:
            converted = read_usual(content)
            if converted is None:
                converted = _convert(content.decode(), convert)
        except JSONDecodeError as error:
            raise BundleError(f"line {number} is not JSON ({error.msg})") from None
        except UnicodeDecodeError:
            raise BundleError(f"line {number} is not UTF-8") from None
        except RecursionError:
            raise BundleError(f"line {number} is nested too deeply") from None
        except _NotALineError as error:
            raise BundleError(f"line {number} has {error}") from None
        except ValueError:  # digits by the thousand
            raise BundleError(f"line {number} has a number that is too large") from None
        yield converted


def _convert(line: str, convert: Callable[[dict[str, Any]], T]) -> T:
    found, length = _DECODER.raw_decode(line)
    if length != len(line) or not isinstance(found, dict):
        raise _NotALineError("not one JSON object")
    converted = convert(found)
    if found:
        raise _NotALineError(f"the unknown key {shorten(min(found))!r}")
    return converted


def _entry(found: dict[str, Any]) -> Entry:
    path = _required_bytes(found, "path")
    kind = _type(found, path)
    if kind is None:
        raise _NotALineError("no type")
    return Entry(
        path,
        kind,
        _required_integer(found, "mode"),
        _required_integer(found, "uid"),
        _required_integer(found, "gid"),
        _required_integer(found, "mtime_ns"),
        _integer(found, "size") or 0,
        _text(found, "sha256"),
        _bytes(found, "target"),
        _bytes(found, "link"),
        _flag(found, "placeholder"),
        _integer(found, "offset"),
        _word(found, "package"),
        _word(found, "reason") or "",
        _bytes(found, "copy_of"),
        _segments(found) if "segments" in found else None,
        _flag(found, "elsewhere"),
        _word(found, "belonging"),
        _attributes(found) if "xattrs" in found else (),
        _integer(found, "blocks"),
        _bytes(found, "twin"),
    )


def _result(found: dict[str, Any]) -> Result:
    path = _required_bytes(found, "path")
    run = _text(found, "run")
    if run is None:
        raise _NotALineError("no run")
    if "type" not in found:
        raise _NotALineError("no type")
    return Result(
        run,
        path,
        _type(found, path),
        _integer(found, "mode") or 0,
        _integer(found, "size") or 0,
        _text(found, "sha256"),
        _bytes(found, "target"),
    )


def _type(found: dict[str, Any], path: bytes) -> FileType | None:
    name = found.pop("type", None)
    if name is None:
        return None
    kind = _TYPES.get(name) if isinstance(name, str) else None
    if kind is None:
        raise HostileBundleError(
            f"the bundle holds {shorten_path(path)} as a {shorten(str(name))!r}, a kind that no bundle may hold"
        )
    return kind


def _integer(found: dict[str, Any], key: str) -> int | None:
    value = found.pop(key, None)
    if value is not None and type(value) is not int:
        raise _NotALineError(f"a {key} that is not an integer")
    return value


def _required_integer(found: dict[str, Any], key: str) -> int:
    value = found.pop(key, None)
    if type(value) is not int:
        raise _NotALineError(f"no integer {key}")
    return value


def _segments(found: dict[str, Any]) -> tuple[tuple[int, int], ...]:
    match found.pop("segments"):
        case [*pairs]:
            numbers = [tuple(pair) if isinstance(pair, list) else () for pair in pairs]
            if all(len(pair) == 2 and type(pair[0]) is type(pair[1]) is int for pair in numbers):  # noqa: PLR2004
                return tuple(numbers)
    raise _NotALineError("segments that are not pairs of integers")


def _attributes(found: dict[str, Any]) -> tuple[tuple[bytes, bytes], ...]:
    match found.pop("xattrs"):
        case [*pairs] if all(isinstance(pair, list) and len(pair) == 2 for pair in pairs):  # noqa: PLR2004
            names = (dict(zip(("name", "value"), pair, strict=True)) for pair in pairs)
            return tuple((_required_bytes(pair, "name"), _required_bytes(pair, "value")) for pair in names)
    raise _NotALineError("xattrs that are not pairs")


def _text(found: dict[str, Any], key: str) -> str | None:
    value = found.pop(key, None)
    if value is not None and not isinstance(value, str):
        raise _NotALineError(f"a {key} that is not a string")
    return value


def _word(found: dict[str, Any], key: str) -> str | None:
    """Return a text that many entries share, so that it is in memory once."""
    value = _text(found, key)
    return None if value is None else intern(value)


def _flag(found: dict[str, Any], key: str) -> bool:
    value = found.pop(key, False)
    if not isinstance(value, bool):
        raise _NotALineError(f"a {key} that is neither true nor false")
    return value


def _bytes(found: dict[str, Any], key: str) -> bytes | None:
    value = found.pop(key, None)
    if value is None:
        return None
    try:
        if isinstance(value, str):
            return value.encode()
        if isinstance(value, dict) and list(value) == ["base64"] and isinstance(value["base64"], str):
            return b64decode(value["base64"], validate=True)
    except (UnicodeEncodeError, Base64Error):
        pass
    raise _NotALineError(f"a {key} that is not a byte string")


def _required_bytes(found: dict[str, Any], key: str) -> bytes:
    value = _bytes(found, key)
    if value is None:
        raise _NotALineError(f"no {key}")
    return value
