"""Job control: the relay is parent and session leader of a program at a terminal, as the shell would be."""

from __future__ import annotations

import contextlib
import os
import select
import signal

from rtrace.capture.kernel.terminal import OuterTerminal, copy_window
from rtrace.capture.relay.keyboard import Keyboard
from rtrace.capture.relay.output import OutputChannel
from rtrace.capture.relay.poller import Poller


class TerminalSession:
    """A program at a terminal: its process, its pty, which ``slave`` keeps open, and the terminal outside."""

    def __init__(self, poller: Poller, program: int, terminal: OuterTerminal, slave: int, keyboard: Keyboard) -> None:
        """Take the terminal, unless the tracer is in the background."""
        self.poller = poller
        self.program = program
        self.terminal = terminal
        self.slave = slave
        self.keyboard = keyboard
        self.suspended = False
        self.alive = True
        terminal.take()
        wake, wakeup = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        signal.set_wakeup_fd(wakeup, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        poller.watch(wake, select.POLLIN, lambda _: self.child_changed(wake))
        self.child_changed(wake)  # what happened before there was a handler

    def child_changed(self, wake: int) -> None:
        """Handle what wait(2) says of the program."""
        with contextlib.suppress(BlockingIOError):
            os.read(wake, 4096)
        with contextlib.suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG | os.WUNTRACED | os.WCONTINUED)
                if pid == 0:
                    return
                if pid != self.program:
                    continue
                if os.WIFSTOPPED(status):
                    self.suspended = True
                    self.keyboard.pause()
                    self.poller.when_quiet(self.stop_tracer)
                elif os.WIFCONTINUED(status):
                    if self.suspended:
                        os.kill(self.terminal.owner, signal.SIGCONT)
                else:
                    self.alive = False
                    self.poller.when_quiet(self.leave)

    def stop_tracer(self) -> None:
        """Let the shell have the terminal: the whole job stops, as it would without a tracer."""
        if self.suspended:
            self.terminal.give_back()
            os.kill(self.terminal.owner, signal.SIGTSTP)

    def go_on(self) -> None:
        """Let the program go on, in the foreground or in the background."""
        if not self.alive:
            return
        self.terminal.take()
        copy_window(self.terminal.descriptor, self.slave)
        self.keyboard.waits = True
        self.keyboard.look()
        if self.suspended:
            self.suspended = False
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.program, signal.SIGCONT)

    def notice_hang_up(self, outputs: list[OutputChannel]) -> None:
        """When the terminal outside has gone, close the pty: its session gets SIGHUP, as it would without a relay."""
        if self.keyboard.open and not any(output.open for output in outputs if output.terminal is not None):
            self.keyboard.close(cut=True)

    def leave(self) -> None:
        """Give the terminal back for good."""
        self.alive = False
        self.keyboard.waits = False
        self.keyboard.pause()
        self.terminal.give_back()

    def end(self) -> None:
        """Let the pty close when the last process that has it open ends."""
        self.leave()
        if self.slave >= 0:
            os.close(self.slave)
            self.slave = -1
