"""A report as JUnit XML: a test suite for each run, a test case for each result that counts.

The form is what Jenkins, GitLab and GitHub's actions read: https://github.com/testmoapp/junitxml
"""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING
from xml.etree.ElementTree import Element, SubElement, tostring

from rtrace.printable import printable, printable_text
from rtrace.verify.verdicts import STREAMS

if TYPE_CHECKING:
    from rtrace.operations.verifying.account import Account, RunAccount
    from rtrace.verify.verdicts import Line, Report

_FAILURES, _ERRORS = frozenset({"different", "missing", "extra"}), frozenset({"unknown"})
_LONGEST = 4000


def make_junit(report: Report, account: Account) -> bytes:
    """Return the document, in UTF-8. What XML cannot hold comes out as a backslash escape."""
    root = Element("testsuites", name=f"rtrace verify {_say(account.bundle)}", time=f"{report.seconds:.3f}")
    runs = {run.name: run for run in account.runs}
    by_run: dict[str, list[Line]] = {name: [] for name in runs}
    for line in report.lines:
        if line.scope != "other":
            by_run.setdefault(line.run, []).append(line)
    totals = [0, 0, 0, 0]
    for name, lines in by_run.items():
        counts = _add_suite(root, name, lines, report, account, runs.get(name))
        totals = [one + other for one, other in zip(totals, counts, strict=True)]
    for attribute, total in zip(("tests", "failures", "errors"), totals, strict=False):  # it has none for the last
        root.set(attribute, str(total))
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{tostring(root, "unicode")}\n'.encode()


def _add_suite(
    root: Element, name: str, lines: list[Line], report: Report, account: Account, run: RunAccount | None
) -> tuple[int, int, int, int]:
    """Add the suite of a run; return how many tests, failures, errors and tests left out there are."""
    suite = SubElement(root, "testsuite", name=_say(name))
    moment = datetime.fromtimestamp(account.verified, tz=timezone.utc)
    seconds = 0.0 if run is None or run.replay is None else run.replay.seconds
    counts = (
        len(lines),
        sum(line.verdict in _FAILURES and line.scope == "output" for line in lines),
        sum(line.verdict in _ERRORS and line.scope == "output" for line in lines),
        sum(line.scope == "ignored" for line in lines),
    )
    suite.attrib |= dict(zip(("tests", "failures", "errors", "skipped"), map(str, counts), strict=True))
    suite.attrib |= {"time": f"{seconds:.3f}", "timestamp": f"{moment:%Y-%m-%dT%H:%M:%S}"}
    properties = SubElement(suite, "properties")
    for key, value in (
        ("verdict", report.verdict),
        ("unpacker", account.unpacker),
        ("bundle", account.bundle),
        ("identity", account.identity),
    ):
        SubElement(properties, "property", name=key, value=_say(value))
    for line in lines:
        _add_case(suite, name, line, seconds)
    if report.notes:
        SubElement(suite, "system-out").text = "\n".join(map(printable_text, report.notes))
    return counts


def _add_case(suite: Element, run: str, line: Line, seconds: float) -> None:
    is_status = line.path is None and line.stream is None
    what = printable(line.path) if line.path is not None else STREAMS[line.stream] if line.stream else "exit status"
    case = SubElement(
        suite,
        "testcase",
        name=_say(what),
        classname=_say(run),
        time=f"{seconds if is_status else 0.0:.3f}",
    )
    if line.scope == "ignored":
        SubElement(case, "skipped", message="left out by ignore")
        return
    because = f"because of {', '.join(line.causes)}" if line.causes else ""
    if line.verdict in _FAILURES | _ERRORS:
        tag = "failure" if line.verdict in _FAILURES else "error"
        found = SubElement(case, tag, type=line.verdict, message=_say(line.detail or line.verdict))
        judgement = line.judgement
        if judgement is not None and judgement.place:
            words = zip(("at ", "was", "is "), (judgement.place, judgement.expected, judgement.found), strict=True)
            found.text = "\n".join(f"{word} {_say(text)}" for word, text in words)
        found.text = "\n".join(filter(None, (found.text, because))) or None
    elif line.verdict != "same":
        SubElement(case, "system-out").text = f"{line.verdict}: {_say(line.detail)}"


def _say(text: str) -> str:
    """Return a text on one line, with escapes for what XML cannot hold; of a very long one, the beginning."""
    more = f"... ({len(text) - _LONGEST} more characters)" if len(text) > _LONGEST else ""
    return printable_text(text[:_LONGEST]) + more
