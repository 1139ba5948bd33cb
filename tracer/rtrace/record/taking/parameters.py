"""The parameters of a run: the words of its command, and the files of names and values that it read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rtrace.path_text import to_text
from rtrace.record.facts.parameter_files import LARGEST_FILE, find_kind, read_parameter_file
from rtrace.record.facts.parameters import read_command_line
from rtrace.record.taking.contents import read_content
from rtrace.record.taking.secrets.patience import Patience, TooLongError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rtrace.record.document import ParameterFact
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
) -> list[ParameterFact]:
    """Return the parameters of a run.

    ``argv`` is the command without its secrets, and ``redact`` returns the content of a file, by its path, without
    them: so the values that are read from both have none.
    """
    run = evidence.run
    named = {evidence.resolve(word, run.workingdir): word for word in run.argv}
    spelt = named.get(main)
    facts = read_command_line([to_text(word) for word in argv], None if spelt is None else to_text(spelt))
    files = [one for one in inputs if find_kind(to_text(one.path), named=one.path in named) is not None]
    patience = Patience(_LONGEST)
    for content in files[:_MOST_FILES]:
        data = read_content(content, LARGEST_FILE)
        if data:
            text = redact(content.path, data)
            try:
                with patience.limiting():
                    facts += read_parameter_file(content.path, text, named=content.path in named)
            except TooLongError:  # it is data, and no parameters that a person has written
                continue
        if len(facts) >= MOST_PARAMETERS:
            break
    return facts[:MOST_PARAMETERS]
