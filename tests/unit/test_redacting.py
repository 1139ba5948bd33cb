"""Secrets in commands and variables: decided once, and redacted alike when the decisions are only looked up."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtrace.manifest.model import Secret, SecretPack
from rtrace.privacy.decisions import Decisions
from rtrace.privacy.redacting import redact_address, redact_arguments, redact_environment, redact_known
from rtrace.privacy.redaction import Redaction, Redactor
from secret_planting import Planter

TOKEN = Planter().make_up("gh~p_{36}")[0].encode()
WORDS = st.sampled_from(
    [b"--password", b"hunter2 and more", b"-c", b"curl", TOKEN, b"x " + TOKEN + b" y", b"", b"a\xff"]
)
PLACES = st.sampled_from(["argument 1 of /bin/x", "argument 2 of /bin/x", "variable A", "variable B"])
ASKED = st.lists(st.builds(Secret, PLACES, st.none(), st.just(""), st.sampled_from(SecretPack)), max_size=3)
VARIABLES = st.lists(st.tuples(st.sampled_from([b"A", b"B", b"API_TOKEN"]), st.none() | WORDS), max_size=4)


@given(ASKED, st.lists(WORDS, max_size=5), VARIABLES)
def test_looking_up_redacts_like_deciding(
    asked: list[Secret], argv: list[bytes], environ: list[tuple[bytes, bytes | None]]
) -> None:
    """Once all is decided, a redactor made of the decisions returns what they do."""
    decisions = Decisions(asked)
    for _ in range(2):  # what the second finds, the first may only then know
        redact_arguments(b"/bin/x", argv, decisions)
        redact_environment(tuple(environ), decisions)
    redaction = decisions.settle()
    redactor = Redactor(redaction)
    assert redact_arguments(b"/bin/x", argv, redactor) == redact_arguments(b"/bin/x", argv, decisions)
    assert redact_environment(tuple(environ), redactor) == redact_environment(tuple(environ), decisions)
    assert decisions.settle() == redaction


@pytest.mark.parametrize(
    "pack, wanted",
    [
        (SecretPack.REDACTED, ((b"API_TOKEN", b"redacted"),)),
        (SecretPack.LEFT_OUT, ()),
        (SecretPack.AS_IT_IS, ((b"API_TOKEN", TOKEN),)),
    ],
)
def test_a_person_decides_on_a_variable(pack: SecretPack, wanted: tuple[tuple[bytes, bytes], ...]) -> None:
    """It is redacted, left out, or packed as it is; what is packed as it is may be so everywhere."""
    decisions = Decisions([Secret("variable API_TOKEN", None, "", pack)])
    assert redact_environment(((b"API_TOKEN", TOKEN),), decisions) == wanted
    assert (decisions.values == ()) is (pack is SecretPack.AS_IT_IS)
    assert decisions.unused == ()


def test_known_values_go_everywhere() -> None:
    """In any text, also where no rule finds them, and in addresses."""
    redactor = Redactor(Redaction((), (b"correct horse battery",)))
    assert redact_known(b"a correct horse battery b", redactor) == b"a redacted b"
    assert redact_known(b"a correct horse", redactor) == b"a correct horse"
    assert not Redactor(Redaction()).has_values
    assert TOKEN.decode() not in redact_address("origin of x", f"https://x:{TOKEN.decode()}@example.org/", redactor)
