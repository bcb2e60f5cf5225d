"""Every total adds up, to the digit, in every kind of currency."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from funnel.ledger.money import decimal, digits
from sales.negotiation.reckoning import (
    net_of,
    percent_text,
    quantity_text,
    read_percent,
    read_price,
    read_quantity,
    reckon,
)

pytestmark = pytest.mark.once


@dataclass
class Line:
    quantity: int = 10_000
    unit_price: int = 1
    discount: int = 0
    tax_rate: int = 0


lines = st.lists(
    st.builds(
        Line,
        quantity=st.integers(1, 10**9),
        unit_price=st.integers(1, 10**9),
        discount=st.integers(0, 100_000),
        tax_rate=st.sampled_from([0, 5_000, 8_875, 19_000, 20_000, 25_000]),
    ),
    min_size=1,
    max_size=12,
)


@settings(max_examples=200, deadline=None)
@given(lines, st.sampled_from(["JPY", "EUR", "KWD"]))
def test_lines_taxes_and_totals_add_up_and_are_what_decimals_say(given_lines, currency):
    totals = reckon(given_lines)
    step = Decimal(1).scaleb(-digits(currency))
    nets, by_rate = [], {}
    for line in given_lines:
        exact = Decimal(line.quantity) / 10_000 * decimal(line.unit_price, currency)
        exact *= (100 - Decimal(line.discount) / 1_000) / 100
        nets.append(exact.quantize(step, ROUND_HALF_EVEN))
        by_rate[line.tax_rate] = by_rate.get(line.tax_rate, 0) + nets[-1]
    taxes = {rate: (net * Decimal(rate) / 100_000).quantize(step, ROUND_HALF_EVEN) for rate, net in by_rate.items()}
    assert [decimal(net_of(line), currency) for line in given_lines] == nets
    assert decimal(totals.net, currency) == sum(nets)
    assert {rate: decimal(tax, currency) for rate, _, tax in totals.taxes} == taxes
    assert decimal(totals.total, currency) == sum(nets) + sum(taxes.values())
    assert totals.before - totals.discount == totals.net
    assert totals.net + totals.tax == totals.total == sum(net + tax for _, net, tax in totals.taxes)


def test_a_half_goes_to_the_even_digit_and_a_tenth_three_times_is_three_tenths():
    half = [Line(quantity=5_000, unit_price=price) for price in (1, 3, 5)]
    assert [net_of(one) for one in half] == [0, 2, 2]
    assert net_of(Line(quantity=read_quantity("0.1"), unit_price=read_price("3", "EUR"))) == 30
    assert reckon([Line(quantity=1_000, unit_price=100)] * 3).net == 30


@settings(max_examples=200, deadline=None)
@given(st.integers(1, 10**13 - 1), st.integers(0, 100_000))
def test_what_is_written_reads_back_the_same(quantity, percent):
    assert read_quantity(quantity_text(quantity)) == quantity
    assert read_percent(percent_text(percent)) == percent


@pytest.mark.parametrize(
    ("read", "said"),
    [
        *((read_quantity, said) for said in ("-1", "0", "1.00001", "1e3", "1_000", "١", "", " ", "NaN", "1" * 14)),
        *((read_percent, said) for said in ("-1", "100.001", "101", "1.0001", "sNaN", "Infinity", "1e1000000")),
        *(
            (lambda said: read_price(said, "EUR"), said)
            for said in ("0", "0.00", "-5", "1.005", "1" * 13, "5 €", "5,00")
        ),
        (lambda said: read_price(said, "JPY"), "1.50"),
        (lambda said: read_price(said, "KWD"), "1.0005"),
    ],
)
def test_what_is_no_plain_number_in_its_range_is_refused(read, said):
    with pytest.raises(ValueError, match=r"\."):
        read(said)
