"""Commands killed at random moments leave nothing half, lose nothing, and the next command works.

RTRACE_KILLS is how often each is killed, RTRACE_KILLS_SEED decides when; `scripts/bench --kills N` does the same.
"""

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmark.kill_scenarios import list_scenarios, make_material
from benchmark.killed_commands import run_kills, scratch_folder

KILLS = int(os.environ.get("RTRACE_KILLS", "6"))
SEED = int(os.environ.get("RTRACE_KILLS_SEED", "1"))
RTRACE = (sys.executable, "-m", "rtrace")

pytestmark = pytest.mark.requires("strace", "user-namespaces")


@pytest.fixture(scope="module")
def material(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """What all commands start from: traces, a bundle, a target."""
    with scratch_folder(tmp_path_factory.mktemp("kills")) as folder:
        make_material(folder / "material", RTRACE)
        yield folder / "material"


@pytest.mark.parametrize("name", [scenario.name for scenario in list_scenarios(Path("/"))])
def test_killed_command_leaves_what_the_next_one_mends(name: str, material: Path, tmp_path: Path) -> None:
    """Whenever a command is killed, all that was there is there, and nothing else after the next command."""
    (scenario,) = (scenario for scenario in list_scenarios(material) if scenario.name == name)
    kills = run_kills(scenario, material, RTRACE, KILLS, tmp_path, SEED)
    assert [f"{kill.moment}: {problem}" for kill in kills for problem in kill.problems] == []
    assert any(kill.came for kill in kills)
