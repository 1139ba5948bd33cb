"""``rtrace cache``: the trees that are kept for the next replay."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import click

from rtrace.answers.cache import answer_cache
from rtrace.cli.frame.command import RtraceCommand
from rtrace.cli.options.common import JSON
from rtrace.cli.terminal.speaking import give_json, say, show, warn
from rtrace.cli.terminal.tidying import tell_cleaned
from rtrace.errors import UsageError
from rtrace.operations.machine.cache import Cleared, clear, list_cached
from rtrace.printable import count, format_size, printable
from rtrace.replay.cache_place import find_place

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from rtrace.replay.protocol import Cached

LIST, CLEAR = "list", "clear"
ACTIONS = {LIST: "show what is kept", CLEAR: "remove it"}
SHOWN = 12
"""Characters of an identity."""


def complete(context: click.Context, _param: click.Parameter, current: str) -> list[CompletionItem]:
    """Return what is kept, by identity; and bundles."""
    from click.shell_completion import CompletionItem

    from rtrace.cli.options.completing import complete_bundles

    found = [CompletionItem(one.identity[:SHOWN], help=show_name(one)) for one in list_cached()]
    return [item for item in found if item.value.startswith(current)] + complete_bundles(context, _param, current)


@click.command(
    cls=RtraceCommand,
    examples=("rtrace cache list", "rtrace cache clear", "rtrace cache clear bundle.rpz"),
)
@JSON
@click.argument("action", metavar="list|clear", type=click.Choice(list(ACTIONS)))
@click.argument("names", metavar="[IDENTITY|BUNDLE]...", nargs=-1, shell_complete=complete)
def command(action: str, names: tuple[str, ...], *, as_json: bool) -> None:
    r"""Show or remove the unpacked files that are kept so that `rtrace replay BUNDLE` and `verify` begin at once.

    They are in rtrace/trees in your folder for caches ($XDG_CACHE_HOME, or ~/.cache; /var/cache for root), or in the
    folder that RTRACE_CACHE names; RTRACE_CACHE=off keeps nothing. When they take more room than RTRACE_CACHE_SIZE
    [default: 10 GiB, but no more than a tenth of the free room], what was not used for longest goes. Nothing that is
    kept is lost with it: the next replay unpacks the bundle again.

    \b
    list   show what is kept: identity, size, last use, name of the bundle
    clear  remove it, or what is kept of the bundles that are named by file or identity; what is in use stays
    """
    tell_cleaned(find_place())
    cleared = Cleared((), ())
    if action == CLEAR:
        cleared = clear(names)
    elif names:
        raise UsageError("`rtrace cache list` takes no names; to remove something: rtrace cache clear NAME")
    if as_json:
        give_json(answer_cache(list_cached(), cleared.gone))
    elif action == LIST:
        show_all(list_cached())
    else:
        size = format_size(sum(one.size for one in cleared.gone))
        say(f"removed {count(len(cleared.gone), 'tree')} ({size})" if cleared.gone else "there was nothing to remove")
    for one in cleared.in_use:
        warn(f"{show_name(one)} ({one.identity[:SHOWN]}) is in use by another process and stays")


def show_all(cached: tuple[Cached, ...]) -> None:
    """Write a line for each tree, and what all take."""
    for one in cached:
        used = time.strftime("%Y-%m-%d %H:%M", time.localtime(one.used))
        show(f"{one.identity[:SHOWN]}  {format_size(one.size):>10}  {used}  {show_name(one)}")
    place = printable(os.fsencode(find_place()))
    say(f"{count(len(cached), 'tree')}, {format_size(sum(one.size for one in cached))} in {place}")


def show_name(one: Cached) -> str:
    """Return the name of the bundle's file, fit for a terminal."""
    return printable(one.name.encode("utf-8", "surrogateescape"))
