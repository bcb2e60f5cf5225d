"""The same list again: a row that says what is known leaves no trace, also where several rows are about one person."""

from __future__ import annotations

from typing import Any

import pytest

from funnel.leads import actions
from funnel.leads.models import Lead, Suppression
from funnel.outbox.models import Event
from funnel.workspaces.models import Member

from .conftest import text_of

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("rep")]
HEADER = ["E-mail", "Name", "City", "Unsubscribed"]
# A couple with one mailbox, and one person in two spellings.
ROWS = [
    ["info@oak.example", "Ann Oak", "Rome", ""], ["info@oak.example", "Ben Oak", "Bonn", ""],
    ["Cy@elm.example", "Cy Elm", "", "yes"], ["cy+shop@elm.example", "C. Elm", "", "yes"],
]  # fmt: skip


def bring(desk: Any, rows: list[list[str]], **said: str) -> tuple[dict[str, int], dict[str, int]]:
    """What it is said would happen, and what happened."""
    one = desk()
    one.upload(text_of(HEADER, rows))
    one.choose(**{"to_2": "new", **said})
    looked = one.one.counts
    one.bring_in()
    return looked, one.one.counts


def traces(gate: Any, member: Member) -> tuple[Any, ...]:
    """What a second time could leave."""
    with gate(member):
        leads = sorted(Lead.objects.values_list("email", "name", "version", "updated_at", "stage"))
        return leads, Event.objects.filter(lead__isnull=False).count(), Suppression.objects.count()


@pytest.fixture(params=[1, 400])
def in_slices(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The worker takes so many rows at a time."""
    for name in ("CHUNK", "LEAST", "MOST"):
        monkeypatch.setattr(f"funnel.transfer.handlers.{name}", request.param)


@pytest.mark.usefixtures("in_slices")
def test_several_rows_of_one_person_change_nothing_when_they_come_again(desk: Any, gate: Any, owner: Member) -> None:
    looked, told = bring(desk, ROWS)
    assert (told["new"], told["changed"]) == (looked["new"], looked["changed"]) == (2, 2)
    before = traces(gate, owner)
    looked, told = bring(desk, ROWS)
    assert looked == told == {"rows": 4, "new": 0, "changed": 0, "same": 4, "refused": 0}
    assert traces(gate, owner) == before


@pytest.mark.usefixtures("in_slices")
def test_of_several_rows_of_one_person_the_last_counts(desk: Any, gate: Any, owner: Member) -> None:
    ann, ben, third = *ROWS[:2], ["info@oak.example", "Cat Oak", "Oslo", ""]
    for rows in ([ann, ben, ann], [ben, third, ann], [ann, third, ben]):
        bring(desk, rows)
        with gate(owner):
            assert Lead.objects.get().name == rows[-1][1]


def test_what_was_otherwise_in_between_is_put_right_again(desk: Any, gate: Any, owner: Member) -> None:
    def city() -> str:
        with gate(owner):
            return str(Lead.objects.get().fields["city"])

    rome, bonn = [ROWS[0]], [[*ROWS[0][:2], "Bonn", ""]]
    bring(desk, rome)
    for rows, now in ((bonn, "Bonn"), (rome, "Rome")):
        assert bring(desk, rows)[1]["changed"] == 1
        assert city() == now
    with gate(owner) as at:
        actions.edit(Lead.objects.get(), {"fields": {"city": "Kyiv"}}, by=owner, at=at)
    assert bring(desk, rome)[1]["changed"] == 1
    assert city() == "Rome"


def test_a_column_that_means_something_else_now_is_read_again(desk: Any, gate: Any, owner: Member) -> None:
    bring(desk, ROWS[:1])
    assert bring(desk, ROWS[:1], to_1="company", to_2="name")[1]["changed"] == 1
    with gate(owner):
        lead = Lead.objects.get()
        assert (lead.name, lead.company_name) == ("Rome", "Ann Oak")
