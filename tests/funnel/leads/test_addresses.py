"""The short way for plain addresses says what the validator says."""

import pytest
from email_validator import EmailNotValidError, validate_email
from hypothesis import given, settings
from hypothesis import strategies as st

from funnel.leads.identity import PLAIN_ADDRESS

pytestmark = pytest.mark.once

SIGNS = "abZ09._%+-@ "


@settings(max_examples=1500, deadline=None)
@given(
    st.text(SIGNS, max_size=70), st.text("abZ0-.", max_size=70), st.sampled_from(["com", "de", "example", "xx", "c"])
)
def test_what_looks_plain_is_what_the_validator_takes_unchanged(name, host, top):
    typed = f"{name}@{host}.{top}"
    if not PLAIN_ADDRESS.fullmatch(typed):
        return
    try:
        found = validate_email(typed, check_deliverability=False, test_environment=True, strict=True)
    except EmailNotValidError as error:
        raise AssertionError(f"{typed!r} looks plain, but: {error}") from None
    assert found.local_part == name
    assert (found.ascii_domain or found.domain).lower() == f"{host}.{top}".lower()


@pytest.mark.parametrize("typed", ["ann.bell@one.example", "A_b+c%d@x-y.co.uk", "a@b.de"])
def test_common_addresses_go_the_short_way(typed):
    assert PLAIN_ADDRESS.fullmatch(typed)


@pytest.mark.parametrize(
    "typed",
    ["a@localhost", "a..b@x.com", ".a@x.com", "a@-x.com", "a@x-.com", "a@xn--e1afmkfd.com", "a@x.com\n", "a@x.local"],
)
def test_what_could_be_read_in_two_ways_does_not(typed):
    assert not PLAIN_ADDRESS.fullmatch(typed)
