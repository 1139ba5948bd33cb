"""`rtrace audit`: secrets in what ran and in what was packed are found, and their values stay unsaid."""

from __future__ import annotations

import pytest

from rtrace.privacy.searching.scan import find_in_file, scan_arguments, scan_environment, scan_file
from secret_planting import Planter


@pytest.mark.parametrize(
    "variable",
    [
        b"SSH_AUTH_SOCK=/run/user/1000/keyring/ssh",
        b"TOKENIZERS_PARALLELISM=false",
        b"DB_PASSWORD=",
        b"DB_PASSWORD=${DB_PASSWORD}",
        b"USE_TOKEN=true",
        b"PWD=/home/reader",
        b"DATABASE_URL=postgresql://db.example/results",
        b"DATABASE_URL=postgresql://reader@db.example:5432/results",
        b"COMPASS=north-west",
    ],
)
def test_what_only_sounds_like_a_secret_is_none(variable: bytes) -> None:
    """Empty values, values yet to be filled in, switches, and names that merely resemble are not told."""
    name, _, value = variable.partition(b"=")
    assert list(scan_environment([(name, value)], "run1")) == []
    assert list(scan_arguments([b"env", variable], "run1")) == []


def test_an_option_and_its_value_may_be_two_arguments() -> None:
    """The argument that is told is the option's; an option that takes no value is none."""
    found = list(scan_arguments([b"study", b"--api-token", b"abc", b"--password", b"--verbose"], "run1"))
    assert [(finding.rule, finding.place) for finding in found] == [("secret-option", "run1: argument 1")]


def test_an_item_without_a_name_is_told_by_its_number() -> None:
    """What has no `=` may be the secret itself, so that its text is not told."""
    value = Planter().make_up("gh~p_{36}")[0].encode()
    found = list(scan_environment([(b"A", b"b"), (value, None)], "run1"))
    assert [(finding.rule, finding.place) for finding in found] == [("github-token", "run1: item 2 of the environment")]


def test_files_are_told_by_lines_where_they_have_lines() -> None:
    """In a text each line is told once; in a binary file there are no lines, and what is named must look random."""
    secret = Planter().make_up("gh~p_{36}")[0].encode()
    twice = secret + b" " + secret + b"\n"
    assert [found.place for found in scan_file(b"/a", [b"\n" + twice + twice])] == ["/a: line 2", "/a: line 3"]
    assert [found.place for found in scan_file(b"/a", [b"\0" + twice + twice])] == ["/a"]
    assert [found.rule for found in scan_file(b"/a", [b'password="hunter22"'])] == ["secret-literal"]
    assert list(scan_file(b"/a", [b'\0password="hunter22"'])) == []
    assert [found.place for found in scan_file(b"/home/x/.ssh/id_x", [b"\0"])] == ["/home/x/.ssh/id_x"]
    assert list(scan_file(b"/home/x/.ssh/id_x.pub", [b"ssh-ed25519 AAAA x"])) == []


@pytest.mark.parametrize("before", [0, 1000, 65000, 65500, 65536, 131000, 200000])
def test_a_secret_is_found_wherever_the_parts_of_a_file_meet(before: int) -> None:
    """A file comes in parts: a secret that lies in two of them is found as any other, once, on its line."""
    secret = Planter().make_up("gh~p_{36}")[0].encode()
    text = b"line\n" * (before // 5) + secret + b"\n" + b"x y\n" * 50000
    parts = [text[at : at + 65536] for at in range(0, len(text), 65536)]
    assert [found.place for found in scan_file(b"/a", parts)] == [f"/a: line {before // 5 + 1}"]
    begins = {(found.begin, found.end) for found in find_in_file(b"/a", parts)}
    assert begins == {(before // 5 * 5, before // 5 * 5 + len(secret))}


@pytest.mark.parametrize(
    "variable",
    [
        b"DB_PASSWORD=password123",
        b"B_TOKEN=0123456789abcdef0123456789abcdef",
        b"API_TOKEN=ghp_0123456789abcdefABCDEF0123456789abcd",
        b"C_TOKEN=mytoken0123456789",
    ],
)
def test_weak_values_that_a_run_was_given_are_secrets(variable: bytes) -> None:
    """A value that would be an example in a text is real where a run was given it under the name of a secret."""
    name, _, value = variable.partition(b"=")
    assert list(scan_environment([(name, value)], "run1"))


@pytest.mark.parametrize(
    "variable", [b"DB_PASSWORD=none", b"API_TOKEN=${TOKEN}", b"API_TOKEN=<token>", b"TOKEN=changeme"]
)
def test_what_says_nothing_is_no_secret(variable: bytes) -> None:
    """A word for nothing, and a place where a value is to be filled in, are none."""
    name, _, value = variable.partition(b"=")
    assert not list(scan_environment([(name, value)], "run1"))
