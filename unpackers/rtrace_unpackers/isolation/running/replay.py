"""Run a plan in a forked child, carry its streams, hand signals on to it, and tell how the program ended."""

from __future__ import annotations

import contextlib
import os
import platform
import select
import signal
import socket
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from rtrace.debugging import debug
from rtrace.errors import TargetError
from rtrace.interrupts import shielded
from rtrace.limits import DEFAULT_LIMITS, Limits
from rtrace.linux.libc import load_libc
from rtrace.printable import printable
from rtrace.replay.protocol import Outcome, Streams
from rtrace_unpackers.files.descent import open_regular
from rtrace_unpackers.granted.listening import Listener
from rtrace_unpackers.granted.relaying import relaying
from rtrace_unpackers.isolation.kernel.executing import make_sealed
from rtrace_unpackers.isolation.kernel.seccomp import build_filter
from rtrace_unpackers.isolation.planning.first_program import build_first_program
from rtrace_unpackers.isolation.planning.isolation_plan import Isolation, Program
from rtrace_unpackers.isolation.planning.steps import Stage, Steps, plan_last_calls
from rtrace_unpackers.isolation.running.control import Control, forwarding, suspend
from rtrace_unpackers.isolation.running.first_process import FAILED, Means
from rtrace_unpackers.isolation.running.keeper import MAPPED, READY, ProgramEnds, be_keeper
from rtrace_unpackers.isolation.running.refusal import explain_refusal
from rtrace_unpackers.isolation.running.report import Record, RecordReader, judge
from rtrace_unpackers.isolation.running.sockets import Connector
from rtrace_unpackers.isolation.running.watching import OWN_PROCESSES, LimitWatch, plan_watch
from rtrace_unpackers.isolation.streams.plumbing import Plumbing, lay
from rtrace_unpackers.isolation.streams.pumps import Meter
from rtrace_unpackers.isolation.users.access import Access, MappedBy
from rtrace_unpackers.isolation.users.layers import Layers, mounted_layers
from rtrace_unpackers.isolation.users.user_namespace import mounted_tree, write_maps
from rtrace_unpackers.limits.resources import pack_resources

if TYPE_CHECKING:  # a replay that is not frozen does not load it
    from rtrace_unpackers.isolation.running.freezer import Frozen

PART = 1 << 16
PATIENCE = 2.0
"""Seconds that what a replay printed may take to arrive, once a limit has ended it: its reader may never read."""
LONGEST_WAIT = 3600.0
"""Seconds; poll(2) counts milliseconds in an int."""


class PlanCalls(Protocol):
    """Plans the last calls before a program runs."""

    def __call__(self, program: Program, *, has_terminal: bool) -> Steps:
        """Return them."""


@dataclass(frozen=True, slots=True)
class Road:
    """By which road the processes of a replay come to be: their calls, filter, keeper, and who supervises it."""

    plan_calls: PlanCalls
    make_filter: Callable[[str, frozenset[str]], bytes]
    keep: Callable[[Isolation, Means, ProgramEnds], int]
    supervision: type[Supervision]


def replay(  # noqa: PLR0913 -- each is a choice of its own
    isolation: Isolation,
    tree: int | Layers,
    run: str,
    streams: Streams,
    limits: Limits = DEFAULT_LIMITS,
    listeners: Sequence[Listener] = (),
    road: Road | None = None,
    *,
    frozen: Frozen | None = None,
) -> Outcome:
    """Carry out a plan in a tree, a directory's descriptor, or in layers of one, and return how its program ended.

    What ``listeners`` accept is carried into the replay, whose plan has to give sockets. Without a ``road``, it takes
    place in namespaces. With ``frozen`` its calls are answered.

    Raises CommandNotFoundError and CommandNotExecutableError when the program cannot be started, TargetError when
    the system refuses the isolation or the working directory is not there.
    """
    check_system()
    load_libc()
    road = NAMESPACES if road is None else road
    place, written = (tree.place, tree.upper) if isinstance(tree, Layers) else (tree, tree)
    with contextlib.ExitStack() as stack:
        control = Control()
        meter = Meter(limits.output, lambda: control.end("output"))
        program = isolation.program
        streams = stack.enter_context(without_closed(streams, program.closed))
        is_fed = program.stdin is not None and program.stdin.pipe
        plumbing = lay(streams, meter, reads=program.stdin is None, is_fed=is_fed)
        stack.callback(plumbing.close)
        feed(program, tree, plumbing, run)
        give_pipes(isolation, plumbing)
        steps = road.plan_calls(isolation.program, has_terminal=plumbing.screen is not None)
        launcher = make_sealed(b"rtrace", build_first_program(platform.machine(), steps))
        stack.callback(os.close, launcher)
        report, report_end = os.pipe()
        stack.callback(os.close, report)
        channel, channel_end = stack.enter_context(closing_pair())
        doors = stack.enter_context(closing_pair()) if isolation.gives_sockets else None
        shares_user = not isolation.access.has_groups or isolation.program.uid == 0
        own = OWN_PROCESSES + (doors is not None) + (frozen is not None)
        watch = stack.enter_context(plan_watch(limits, written, control.end, shares_user=shares_user, own=own))
        means = Means(
            launcher,
            report_end,
            channel_end,
            road.make_filter(platform.machine(), isolation.allowed),
            tuple(plumbing.absent),
            plumbing.appearance,
            tuple(plumbing.on_terminal),
            tuple(plumbing.pipes.items()),
            steps.report,
            None if doors is None else doors[1],
            frozen,
        )
        ends = ProgramEnds(place, (plumbing.ends[0], plumbing.ends[1], plumbing.ends[2]), plumbing.terminal)
        debug(__name__, "replaying %s in %r with %s", run, isolation.namespaces, isolation.access)
        with shielded():  # or there would be a keeper that nobody ends
            control.keeper = fork_blocked(lambda: road.keep(isolation, means, ends))
            stack.callback(control.finish)
        stack.callback(channel.close)  # a keeper that waits for its maps goes on, and ends
        os.close(report_end)
        channel_end.close()
        if doors is not None:
            doors[1].close()
            stack.enter_context(relaying(listeners, Connector(doors[0]).connect))
        plumbing.start()
        stack.enter_context(plumbing.raw_terminal())
        with forwarding(control, plumbing):
            records = road.supervision(isolation, tree, report, channel, plumbing, meter, control, watch).run()
        debug(__name__, "told: %s; reached: %s", records, control.reached)
        control.finish()
        ended_by_kernel = watch.end()
        plumbing.finish(run, patience=None if control.reached is None else PATIENCE)
    return control.conclude(judge(records, isolation, run), ended_by_kernel, watch)


def check_system() -> None:
    """Raise TargetError where there are no namespaces; load what the child cannot import any more."""
    if not sys.platform.startswith("linux"):
        raise TargetError("a chroot target can be replayed on Linux only; use the docker unpacker here")
    codecs = ("encodings.ascii", "encodings.utf_8", "encodings.latin_1", "encodings.idna")
    for name in (*codecs, "array", "fcntl", "resource", "struct", "termios", "tty"):
        __import__(name)


@contextlib.contextmanager
def closing_pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Yield the two ends of a channel that keeps messages apart."""
    one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with one, other:
        yield one, other


@contextlib.contextmanager
def without_closed(streams: Streams, closed: frozenset[int]) -> Iterator[Streams]:
    """Yield streams with the null device in the place of those that the program closes before it begins."""
    null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
    try:
        places = (streams.stdin, streams.stdout, streams.stderr)
        yield Streams(*(null if number in closed else place for number, place in enumerate(places)))
    finally:
        os.close(null)


def feed(program: Program, tree: int | Layers, plumbing: Plumbing, run: str) -> None:
    """Feed the program's pipes with what came through them in the run. Raises TargetError when the bundle lacks it."""
    paths = {one.number: one.path for one in program.pipes if one.path is not None}
    if program.stdin is not None and program.stdin.pipe:
        paths[0] = program.stdin.path
    for number, path in paths.items():
        try:
            plumbing.feed(number, tree.open_regular(path) if isinstance(tree, Layers) else open_regular(tree, path))
        except OSError as error:
            name = "standard input" if number == 0 else f"descriptor {number}"
            raise TargetError(
                f"cannot open {printable(path)}, the {name} of {run}: {error.strerror}; unpack the bundle again"
            ) from None


def give_pipes(isolation: Isolation, plumbing: Plumbing) -> None:
    """Make the program's ends its own, so that it may open them by /dev/stdout; root made them."""
    if os.geteuid() == 0:
        owner = isolation.access.maps.users.outside(isolation.program.uid)
        for end in (*plumbing.ends, *plumbing.pipes.values()):
            if end is not None:
                os.fchown(end, owner, -1)


def fork_blocked(be_child: Callable[[], int]) -> int:
    """Fork; the child has all signals blocked from its first instruction and exits with what the function returns."""
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    try:
        with warnings.catch_warnings():
            # Python 3.12 warns of forks beside other threads; this child takes no lock that they could hold.
            warnings.simplefilter("ignore", DeprecationWarning)
            child = os.fork()
        if child == 0:
            status = FAILED
            try:
                status = be_child()
            finally:
                os._exit(status)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    return child


@dataclass(frozen=True, slots=True)
class Supervision:
    """What the caller needs to supervise a replay."""

    isolation: Isolation
    tree: int | Layers
    report: int
    channel: socket.socket
    plumbing: Plumbing
    meter: Meter
    control: Control
    watch: LimitWatch

    def run(self) -> list[Record]:
        """Listen to the replay's processes until all have ended; return their records."""
        reader = RecordReader()
        records: list[Record] = []
        poll = select.poll()
        poll.register(self.report, select.POLLIN)
        poll.register(self.channel, select.POLLIN)
        while True:
            wait = self.watch.wait()
            for descriptor, _ in poll.poll(None if wait is None else max(1, round(min(wait, LONGEST_WAIT) * 1000))):
                if descriptor == self.channel.fileno():
                    if not self.answer():
                        poll.unregister(self.channel)
                    continue
                part = os.read(self.report, PART)
                if not part:
                    return records
                for record in reader.feed(part):
                    if record.stage is not Stage.STOPPED:
                        records.append(record)
                    elif self.plumbing.terminal is not None:
                        suspend(self.control, self.plumbing)
            reached = self.watch.look(self.control.keeper or 0)
            if reached == "timeout" and self.control.reached is None:
                self.control.time_is_up(self.watch)
            elif reached is not None:
                self.control.end(reached)

    def answer(self) -> bool:
        """Take a message of the channel; return whether there may be more of them."""
        message, descriptors, _, _ = socket.recv_fds(self.channel, 16, 1)
        if message == READY:
            self.map_ids()
        elif descriptors:
            self.plumbing.connect_terminal(descriptors[0], self.meter)
        return bool(message)

    def map_ids(self) -> None:
        """Map the ids of the new user namespace, and hand in mounts. Raises TargetError."""
        access, keeper = self.isolation.access, self.control.keeper or 0
        try:
            self.watch.begin(keeper)
            if access.mapped_by is not MappedBy.ITSELF:
                write_maps(keeper, access)
            answer = MAPPED + pack_resources(self.watch.resources)
            with self.mounted(access, keeper) as mounts:
                socket.send_fds(self.channel, [answer], mounts)
        except OSError as error:
            doing = f"map users in a namespace ({error.strerror})" if error.strerror else "map users in a namespace"
            raise TargetError(explain_refusal(error.errno or 0, doing, as_root=access.as_root)) from None

    @contextlib.contextmanager
    def mounted(self, access: Access, keeper: int) -> Iterator[Sequence[int]]:
        """Yield the mounts that are handed in. Raises OSError."""
        if isinstance(self.tree, Layers):
            with mounted_layers(access, keeper, self.tree) as mounts:
                yield mounts
        elif access.maps_owners:
            with mounted_tree(keeper, self.tree) as mounted:
                yield (mounted,)
        else:
            yield ()


NAMESPACES = Road(plan_last_calls, build_filter, be_keeper, Supervision)
