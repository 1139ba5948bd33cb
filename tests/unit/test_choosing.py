"""Which unpacker is taken when none is named, or when the one that is named cannot replay."""

from __future__ import annotations

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import pytest

from rtrace.errors import TargetError
from rtrace.replay import choosing
from rtrace.replay.choosing import choose_unpacker, tell_caution


class Stub:
    """An unpacker that can replay, or says why not."""

    summary = ""

    def __init__(self, rank: int, problem: str | None, stand_in: str | None = None) -> None:
        self.rank, self.problem, self.stand_in = rank, problem, stand_in
        self.asked = 0

    def find_problem(self) -> str | None:
        """Return the problem."""
        self.asked += 1
        return self.problem


def install(monkeypatch: pytest.MonkeyPatch, stubs: Mapping[str, object]) -> list[str]:
    """Have these unpackers installed; return the names of those that are loaded, as they are."""
    loaded: list[str] = []

    def load(name: str) -> object:
        loaded.append(name)
        if isinstance(stubs[name], ImportError):
            raise stubs[name]  # type: ignore[misc]
        return stubs[name]

    monkeypatch.setattr(choosing, "list_unpackers", lambda: dict.fromkeys(stubs))
    monkeypatch.setattr(choosing, "load_unpacker", load)
    return loaded


def test_namespaces_come_first_and_nothing_else_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the first one works, others cost nothing, whatever their ranks, and nothing is told."""
    loaded = install(monkeypatch, {"chroot": Stub(10, None), "docker": Stub(1, None)})
    chosen = choose_unpacker("auto")
    assert (chosen.name, chosen.told, loaded) == ("chroot", None, ["chroot"])


def test_the_best_that_works_is_told_with_what_the_better_ones_lack(monkeypatch: pytest.MonkeyPatch) -> None:
    """By rank; what cannot be imported, and what is no candidate, has no part in it."""
    stubs: dict[str, Any] = {
        "a": SimpleNamespace(name="a"),
        "broken": ImportError("no module"),
        "chroot": Stub(10, "switched off"),
        "proot": Stub(90, None),
        "docker": Stub(20, "no engine answers"),
        "vm": Stub(95, None),
    }
    install(monkeypatch, stubs)
    chosen = choose_unpacker("auto")
    assert chosen.name == "proot"
    told = "taking proot, as nothing better can replay here; chroot: switched off; docker: no engine answers"
    assert chosen.told == told
    assert stubs["vm"].asked == 0


def test_one_sentence_names_all_where_none_works(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each with what it lacks."""
    install(monkeypatch, {"chroot": Stub(10, "one"), "docker": Stub(20, "two"), "proot": Stub(90, "three")})
    with pytest.raises(TargetError, match=r"^nothing here can replay it; chroot: one; docker: two; proot: three$"):
        choose_unpacker("auto")


@pytest.mark.parametrize("problem, others, taken", [
    (None, None, "chroot"), ("off", None, "proot"), ("off", "absent", "chroot"),
])  # fmt: skip
def test_a_named_one_has_a_stand_in(
    problem: str | None, others: str | None, taken: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is taken where the named one cannot replay and it can; else the named one says itself what it lacks."""
    install(monkeypatch, {"chroot": Stub(10, problem, "proot"), "proot": Stub(90, others)})
    chosen = choose_unpacker("chroot")
    assert chosen.name == taken
    assert chosen.told == (f"taking proot, as chroot cannot replay here: {problem}" if taken == "proot" else None)


def test_a_target_warns_only_where_it_has_to() -> None:
    """Targets that know no caution have none."""
    said: list[str] = []
    targets: list[Any] = [
        SimpleNamespace(),
        SimpleNamespace(caution=lambda: None),
        SimpleNamespace(caution=lambda: "!"),
    ]
    for target in targets:
        tell_caution(target, said.append)
    assert said == ["!"]
