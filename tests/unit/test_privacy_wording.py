"""Counts are told with one noun, in the right number."""

from __future__ import annotations

import pytest

from rtrace.manifest.model import Secret, SecretPack
from rtrace.privacy.wording import count_more, count_secrets


@pytest.mark.parametrize(
    "packs, words",
    [
        ([], "no secrets"),
        ([SecretPack.REDACTED], "1 secret: 1 redacted"),
        ([SecretPack.LEFT_OUT, SecretPack.REDACTED, SecretPack.REDACTED], "3 secrets: 2 redacted, 1 left out"),
        ([SecretPack.AS_IT_IS] * 2, "2 secrets: 2 packed unchanged"),
    ],
)
def test_secrets_are_counted_by_what_becomes_of_them(packs: list[SecretPack], words: str) -> None:
    """All of them under one noun, and each fate that occurs."""
    assert count_secrets(Secret(f"variable {number}", "x", "x", pack) for number, pack in enumerate(packs)) == words


@pytest.mark.parametrize(
    "number, noun, words",
    [
        (0, "file", ""),
        (-3, "file", ""),
        (1, "file", " and 1 more file"),
        (2, "file", " and 2 more files"),
        (2, "", " and 2 more"),
    ],
)
def test_further_things_are_counted(number: int, noun: str, words: str) -> None:
    """There is a word for one and for many, and nothing where all are named."""
    assert count_more(number, noun) == words
