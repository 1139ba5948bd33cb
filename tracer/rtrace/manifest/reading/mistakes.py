"""What a person did wrong in YAML, told from where the parser stumbled: it names tokens, a person thinks in lines."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import yaml

_LOOKED_INTO = 4096
"""Characters between two brackets in which a comment is looked for: quotes that do not close take the square of it."""
_KEY = re.compile(r"\s*(?:- +)?(?P<key>\w+)")
_SPECIAL = re.compile(r"\s*(?:\w+: +|- +)+(?P<value>[*&!%@`{\[][^\s,\]]*)")
_COMMENT = re.compile(r"\s#")
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"|\'[^\']*\'')


class Mistake(NamedTuple):
    """Where something is wrong, line and column counted from 0, and what it is."""

    line: int
    column: int
    what: str


def explain(content: str, error: yaml.MarkedYAMLError) -> Mistake:
    """Return what is wrong with a text that the parser of YAML refuses."""
    problem = error.problem or error.context or "it cannot be read"
    mark = error.problem_mark or error.context_mark
    place = (mark.line, mark.column) if mark else (0, 0)
    start = (error.context_mark.line, error.context_mark.column) if error.context_mark else place
    lines = content.split("\n")
    lines += [""] * (max(place[0], start[0]) + 1 - len(lines))  # YAML 1.1 knows more line breaks
    return (
        _find_odd_line(lines[: place[0] + 1])
        or _explain_scalar(lines, problem, place, start)
        or _explain_brackets(content, lines, problem, place, start)
        or _explain_colon(lines, problem, place, start)
        or _explain_indentation(lines, problem, place, start)
        or Mistake(*place, f"this is not YAML: {problem}")
    )


def _find_odd_line(lines: list[str]) -> Mistake | None:
    """Find what is no YAML in any line."""
    for number, line in enumerate(lines):
        blank = line[: len(line) - len(line.lstrip())]
        if "\t" in blank:
            return Mistake(number, blank.index("\t"), "YAML is not indented with tabs; use spaces")
        if blank.strip(" \r"):
            return Mistake(number, 0, "what looks like a space here is another character; indent with plain spaces")
        if line.startswith(("<<<<<<<", "=======", ">>>>>>>")):
            return Mistake(
                number, 0, "a merge has left this line; choose one of the two versions, and delete its marks"
            )
        if blank + "//" == line[: len(blank) + 2]:
            return Mistake(number, len(blank), "a comment begins with #, not with //")
    return None


def _explain_scalar(lines: list[str], problem: str, place: tuple[int, int], start: tuple[int, int]) -> Mistake | None:
    """Explain quotes that do not end, and strings that need some."""
    if "unexpected end of stream" in problem or "unexpected document indicator" in problem:
        return Mistake(*start, "the string that begins here has no closing quote")
    if "unknown escape" in problem or "hexdecimal" in problem:
        return Mistake(*place, "within double quotes a backslash is written \\\\; or use single quotes")
    line = lines[place[0]]
    column = place[1]
    if "alphabetic or numeric" in problem and line[column - 1 : column] in {"*", "&"} and line[column - 2] not in "]}":
        return Mistake(place[0], column - 1, f"a string that begins with {line[column - 1]} has to be quoted")
    found = _SPECIAL.match(line)
    if found is None or not ("did not find" in problem or "cannot start" in problem) or column < found.start("value"):
        return None
    first, whole = found["value"][0], line[found.start("value") :].split("#")[0].rstrip()
    if first in "[{" and (whole[-1:] in "]}" or not re.search(r"[\]}][^\s,]", whole)):
        return None
    return Mistake(place[0], found.start("value"), f"a string that begins with {first} has to be quoted")


def _explain_brackets(
    content: str, lines: list[str], problem: str, place: tuple[int, int], start: tuple[int, int]
) -> Mistake | None:
    """Explain lists and mappings in brackets that do not go on as they should."""
    if "expected node content" in problem:
        return Mistake(*place, "a value or a closing bracket is missing before this")
    closing = next((one for one in "]}" if f"expected ',' or '{one}'" in problem), None)
    if closing is None:
        return None
    first = sum(len(line) + 1 for line in lines[: start[0]]) + start[1]
    last = sum(len(line) + 1 for line in lines[: place[0]]) + place[1]
    if last - first > _LOOKED_INTO:
        return Mistake(*start, f"what begins here has no closing {closing}, or lacks a comma")
    inside = _QUOTED.sub(lambda found: "x" * len(found[0]), content[first:last])
    comment = _COMMENT.search(inside)
    if comment and closing in inside[comment.start() :].split("\n")[0]:
        before = inside[: comment.start() + 1]
        column = start[1] + comment.start() + 1 if "\n" not in before else len(before) - before.rfind("\n") - 1
        return Mistake(
            start[0] + before.count("\n"), column, "a comment begins at this #; quote the string if it belongs to it"
        )
    if place[0] > start[0]:
        return Mistake(*start, f"what begins here has no closing {closing}, or lacks a comma")
    single = content[last - 1 : last] == "'" or content[:last].rstrip().endswith("'")
    advice = "; within single quotes ' is written ''" if single else ""
    return Mistake(*place, f"a comma or {closing} is missing before this{advice}")


def _explain_colon(lines: list[str], problem: str, place: tuple[int, int], start: tuple[int, int]) -> Mistake | None:
    """Explain colons that are missing or too many, and the spaces behind them."""
    if "expected ':'" in problem:
        line = lines[start[0]]
        key = _KEY.match(line)
        after = line[key.end() :] if key else ""
        if key is None:
            return None
        if after.startswith(":"):
            return Mistake(start[0], key.end(), f"a space is missing after {key['key']}:")
        if after.lstrip().startswith("="):
            return Mistake(start[0], key.end(), f"a colon is wanted after {key['key']}, not =")
        return Mistake(start[0], key.start("key"), f"a colon is missing after {key['key']}")
    if "mapping values are not allowed" not in problem:
        return None
    above = next((n for n in range(place[0] - 1, -1, -1) if lines[n].split("#")[0].strip()), None)
    if above is not None and (glued := re.match(r"\s*(?:- +)?(\w+):(?=[^\s])", lines[above])):
        return Mistake(above, glued.end(), f"a space is missing after {glued[1]}:")
    key = _KEY.match(lines[place[0]])
    if above is not None and key is not None and key.end() == place[1]:
        indent = key.start("key")
        if indent > len(lines[above]) - len(lines[above].lstrip(" -")):
            return Mistake(
                place[0], indent, "this line is indented further than the one above, which has a value already"
            )
    return Mistake(*place, "a string with a colon and a space in it has to be quoted")


def _explain_indentation(
    lines: list[str], problem: str, place: tuple[int, int], start: tuple[int, int]
) -> Mistake | None:
    """Explain a line that does not stand below its like."""
    if "expected key" not in problem and "expected '-' indicator" not in problem:
        return None
    line = lines[place[0]]
    if line[place[1] :].startswith("- ") and place[1] == start[1]:
        return Mistake(*place, "an item of a list begins here, and the list above has ended; put it below the others")
    return Mistake(*place, f"this line is indented by {place[1]}, and those beside it are by {start[1]}")
