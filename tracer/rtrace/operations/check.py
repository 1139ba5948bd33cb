"""Whether a bundle is intact. Every byte of it is covered: by a digest, or by being the only one that can stand there.

version, headers, padding, end      compared with the only bytes that they can be
manifest                            its SHA-256 is the member METADATA/identity
indexes, trace database, data       their SHA-256 are in the manifest
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rtrace.bundle.reading.bundle_reader import Bundle
from rtrace.errors import BundleError, DamagedBundleError
from rtrace.manifest.incompleteness import list_incomplete
from rtrace.opening import open_bundle
from rtrace.printable import count
from rtrace.progress import SILENT, Progress

if TYPE_CHECKING:
    from pathlib import Path


_UNPROVEN = (
    "ReproZip keeps no digests, so that only the checksums of its compression could be compared; "
    "to know that nobody changed it, compare its SHA-256, which is its identity here, with the author's"
)

_ELSEWHERE = "the content of %s is elsewhere and was not looked at; it is compared when it is fetched"


@dataclass(frozen=True, slots=True)
class Checked:
    """What is known of a bundle after reading all of it.

    ``identity`` is the manifest's SHA-256, None when not even that can be read. ``problem`` is a sentence, None for a
    bundle that is intact. ``first`` and ``last`` are the first range of bytes that is not what was packed, as narrow as
    it can be told; None where the damage has no place, as in a bundle that is cut off. ``note`` is a sentence on what
    could not be checked; ``incomplete`` says, a sentence each, what was not there to be packed.
    """

    identity: str | None
    problem: str | None = None
    first: int | None = None
    last: int | None = None
    note: str | None = None
    incomplete: tuple[str, ...] = ()


def check_bundle(path: Path, progress: Progress = SILENT) -> Checked:
    """Read all of a bundle, and compare every byte with what it must be. Raises BundleError when it is not a file."""
    if not path.is_file():
        raise BundleError(f"{path} is not a file; name a bundle")
    identity = None
    try:
        with open_bundle(path) as bundle:
            identity = bundle.identity
            try:
                bundle.check(progress)
            except DamagedBundleError as error:
                found = None
                if isinstance(bundle, Bundle) and error.first == bundle.find_member(bundle.DATA).offset:
                    found = bundle.find_bad_frame()
                first, last = found or (error.first, error.last)
                return Checked(identity, str(error), first, last)
            incomplete = tuple(list_incomplete(bundle.manifest))
            note = _ELSEWHERE % count(len(bundle.manifest.elsewhere), "file") if bundle.manifest.elsewhere else None
            return Checked(identity, note=note if bundle.keeps_digests else _UNPROVEN, incomplete=incomplete)
    except DamagedBundleError as error:
        return Checked(identity, str(error), error.first, error.last)
    except BundleError as error:
        return Checked(identity, str(error))
