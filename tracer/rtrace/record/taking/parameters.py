"""The parameters of a run: the words of its command, and the files of names and values that it read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rtrace.path_text import to_text
from rtrace.printable import name_some, printable
from rtrace.record.facts.parameters import read_command_line
from rtrace.record.taking.contents import read_content

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rtrace.record.document import NoticeFact, ParameterFact
    from rtrace.record.taking.contents import Content
    from rtrace.record.taking.evidence import Evidence

MOST_PARAMETERS = 20_000
_MOST_FILES = 200
_LONGEST = 0.5
"""Seconds of processor time in which all files of parameters are read."""


def describe_parameters(
    evidence: Evidence,
    argv: Sequence[bytes],
    main: bytes,
    inputs: Sequence[Content],
    redact: Callable[[bytes, bytes], bytes],
) -> tuple[list[ParameterFact], list[NoticeFact]]:
    """Return the parameters of a run, and a notice if not all files of parameters were read.

    ``argv`` is the command without its secrets, and ``redact`` returns the content of a file, by its path, without
    them: so the values that are read from both have none.
    """
    run = evidence.run
    named = {evidence.resolve(word, run.workingdir): word for word in run.argv}
    spelt = named.get(main)
    facts = read_command_line([to_text(word) for word in argv], None if spelt is None else to_text(spelt))
    if not inputs:
        return facts[:MOST_PARAMETERS], []
    from rtrace.record.facts.parameter_files import LARGEST_FILE, find_kind, read_parameter_file
    from rtrace.record.taking.secrets.patience import Patience, TooLongError

    files = [one for one in inputs if find_kind(to_text(one.path), named=one.path in named) is not None]
    patience = Patience(_LONGEST)
    unread = [one.path for one in files[_MOST_FILES:]]
    for number, content in enumerate(files[:_MOST_FILES], 1):
        data = read_content(content, LARGEST_FILE)
        if data:
            text = redact(content.path, data)
            try:
                with patience.limiting():
                    facts += read_parameter_file(content.path, text, named=content.path in named)
            except TooLongError:
                unread.append(content.path)
        if len(facts) >= MOST_PARAMETERS:
            unread += [content.path, *(one.path for one in files[number:_MOST_FILES])]
            break
    return facts[:MOST_PARAMETERS], _tell_unread(unread)


def _tell_unread(paths: Sequence[bytes]) -> list[NoticeFact]:
    """Return a notice on files whose names and values are not all in the record; none where all are."""
    if not paths:
        return []
    what = f"not all parameters of {name_some([printable(path) for path in paths])} are in the record"
    advice = (
        f"a record takes up to {MOST_PARAMETERS} of {_MOST_FILES} files, read within {_LONGEST} s; look into the files"
    )
    return [{"kind": "record", "what": what, "advice": advice}]
