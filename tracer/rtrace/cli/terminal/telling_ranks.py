"""What a rank of a parallel program says when it has been traced: little, until the last one tells of all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rtrace.cli.terminal.speaking import say, say_more, warn
from rtrace.printable import count, shell_word
from rtrace.trace import DEFAULT_NAME

if TYPE_CHECKING:
    from rtrace.operations.parallel.ranks import RankReport


def tell_rank(report: RankReport) -> None:
    """Say what became of a rank's trace, and of the trace of all."""
    rank, own = report.rank, report.own
    for problem in (own.problem, None if own.record is None else own.record.problem, report.problem):
        if problem:
            warn(problem)
    combined = report.combined
    if combined is None:
        waiting = f"; {count(len(report.missing), 'rank')} have not ended" if report.missing else ""
        say_more(f"traced rank {rank.number} of {rank.size} in {own.directory.path}{waiting}")
        return
    for notice in combined.manifest.notices:
        warn(f"not captured: {notice.what}; {notice.advice}")
    hosts = len({run.hostname for run in combined.manifest.runs})
    say(f"traced {count(combined.runs, 'rank')} on {count(hosts, 'host')} in {report.directory.path}")
    path = str(report.directory.path)
    say(f"next: `rtrace pack{'' if path == DEFAULT_NAME else f' -d {shell_word(path)}'}`")
