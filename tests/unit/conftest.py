"""What the tests of the fast lane share."""

from pathlib import Path

import pytest
from hypothesis import settings

# Nothing is timed: a machine may be busy.
settings.register_profile("rtrace", deadline=None)
settings.load_profile("rtrace")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Refuse a test that requires something of the machine: it belongs to tests/run."""
    lane = Path(__file__).parent
    wrong = [item.nodeid for item in items if lane in item.path.parents and any(item.iter_markers("requires"))]
    if wrong:
        raise pytest.UsageError(f"tests/unit needs nothing, and yet there are requirements: {', '.join(wrong)}")
