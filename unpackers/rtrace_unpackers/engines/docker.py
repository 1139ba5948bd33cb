"""The unpacker ``docker``: a build context from which any engine makes an image, and that image when one answers.

TARGET/
  rtrace-target.json        what this is
  manifest.yml              the runs
  Dockerfile .dockerignore  how the image is made
  rootfs.tar                its files: those of the bundle, and a launcher for each run in /.rtrace
"""

from __future__ import annotations

from pathlib import Path

from rtrace.elsewhere.sources import NO_SOURCES, Sources
from rtrace.progress import SILENT, Progress
from rtrace.replay.protocol import Unpacked
from rtrace.replay.target_folder import TargetFolder
from rtrace_unpackers.engines.belonging.identity import NAME
from rtrace_unpackers.engines.belonging.leftovers import clean, list_leftovers
from rtrace_unpackers.engines.engine.choice import choose_engine
from rtrace_unpackers.engines.making import make_target, plan_target
from rtrace_unpackers.engines.target import DockerTarget
from rtrace_unpackers.target.state import read_manifest, read_state


class DockerUnpacker:
    """Makes docker targets."""

    name = NAME
    summary = "a Dockerfile with all files, and the image where an engine answers"
    rank = 20
    stand_in: str | None = None

    def plan(self, bundle: Path, target: Path) -> tuple[str, ...]:
        """Return what ``unpack`` would write and make, a line for each step."""
        return plan_target(bundle, target)

    def unpack(
        self,
        bundle: Path,
        target: Path,
        *,
        progress: Progress = SILENT,
        sources: Sources = NO_SOURCES,
        throw_away: bool = False,  # noqa: ARG002 -- nothing is shared yet
    ) -> Unpacked:
        """Write a build context in a new folder, and have an engine load the image if one answers."""
        return make_target(bundle, target, progress, sources)

    def open(self, target: Path) -> DockerTarget:
        """Open a folder that ``unpack`` made."""
        folder = TargetFolder(target)
        return DockerTarget(folder, read_state(folder, NAME), read_manifest(folder))

    def find_problem(self) -> str | None:
        """Return why no engine can replay here."""
        problem = choose_engine().find_problem()
        if problem is None:
            return None
        short = problem.partition(": Get ")[0]  # Docker adds the request, and the reason once more
        return f"no engine answers ({short}), so start one, or install Docker or Podman"

    def list_leftovers(self) -> tuple[str, ...]:
        """Describe what killed processes left in the engine."""
        return tuple(leftover.description for leftover in list_leftovers())

    def clean(self) -> tuple[str, ...]:
        """Remove that, and describe what is gone."""
        return clean()


UNPACKER = DockerUnpacker()
