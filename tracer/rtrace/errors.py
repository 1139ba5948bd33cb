"""What can go wrong, each kind with the exit status that the command line gives it.

The statuses are those of env(1) and timeout(1): 125 when rtrace itself failed, 126 when the command cannot be executed,
127 when it is not found. Wrong usage is 2.
"""

from __future__ import annotations


class RtraceError(Exception):
    """A failure that is told in one sentence, naming the file and the next step."""

    exit_status = 125


class UsageError(RtraceError):
    """The command line asks for something that makes no sense, or that would overwrite something."""

    exit_status = 2


class CommandNotFoundError(RtraceError):
    """The command to trace does not exist."""

    exit_status = 127


class CommandNotExecutableError(RtraceError):
    """The command to trace exists and the kernel refuses to execute it."""

    exit_status = 126


class TracingRefusedError(RtraceError):
    """The kernel or its configuration does not let rtrace trace."""


class ForeignSystemError(RtraceError):
    """This system lacks what only Linux has."""


class TraceError(RtraceError):
    """A trace directory is absent, exists already, or cannot be read."""


class ManifestError(RtraceError):
    """A manifest is not valid; the sentence names file, line and column."""


class DeclarationError(RtraceError):
    """What a run used cannot be written down as asked for."""


class BundleError(RtraceError):
    """A bundle is absent, exists already, is damaged, or is not a bundle."""


class NotABundleError(BundleError):
    """A file is of no format of bundles at all."""


class IncompleteError(BundleError):
    """Content that a run needs is missing, and nobody allowed a bundle without it."""

    exit_status = 1


class DamagedBundleError(BundleError):
    """A bundle is damaged in a place that is known: the bytes ``first`` to ``last`` of its file, both inclusive."""

    def __init__(self, sentence: str, first: int, last: int) -> None:
        """Say what is damaged, and where."""
        super().__init__(sentence)
        self.first = first
        self.last = last


class HostileBundleError(BundleError):
    """A bundle tries to reach outside the target; nothing was written."""


class ElsewhereError(RtraceError):
    """Content that a bundle leaves elsewhere is not to be had there, or is not what was packed."""


class RegistryError(RtraceError):
    """A registry cannot be asked, refuses, or gives what is not a bundle."""


class ConfigurationError(RtraceError):
    """A person's configuration file is not valid; the sentence names the file and the key."""


class KeepingError(RtraceError):
    """An output cannot be put into the data store, this time."""


class BusyError(RtraceError):
    """Something is locked by another process of rtrace."""


class WebError(RtraceError):
    """The pages of a history cannot be served."""


class ForeignError(RtraceError):
    """A folder is somebody else's, who could exchange what is in it."""


class TargetError(RtraceError):
    """A target is absent, exists already, or cannot be built or replayed."""


class RecordError(RtraceError):
    """A document is not a record, or is one of a newer rtrace."""


class HistoryError(RtraceError):
    """The history, or its catalogue, cannot be read or written."""


class NoSuchRunError(HistoryError):
    """The history has no run of this name."""

    exit_status = 1


class AmbiguousRunError(HistoryError):
    """A name fits several runs of the history."""

    exit_status = 2


class FigureError(RtraceError):
    """A figure cannot be read, stamped or checked."""


class UnknownFigureError(FigureError):
    """No run of the history made a figure, or it has been changed since."""

    exit_status = 1


class CaptureError(RtraceError):
    """A function could not be run in a traced process, or gave no result back."""
