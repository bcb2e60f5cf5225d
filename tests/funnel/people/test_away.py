"""Who is away is offered nothing, and no clock runs on a holiday."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

import pytest
from django.urls import reverse

from funnel.handoff.models import Handoff, Outcome
from funnel.handoff.routing import begins
from funnel.leads.identity import Capture
from funnel.leads.receiving import receive
from funnel.people import away
from funnel.templatetags.words import day as said
from funnel.workspaces.hours import after, between
from funnel.workspaces.models import TimeOff, Workspace

pytestmark = pytest.mark.django_db


@pytest.fixture
def ask(gate, work):
    """Somebody asks for contact."""

    def asked(member, name="ann"):
        with gate(member) as at:
            receive(member.workspace, [Capture(email=f"{name}@mail.example", kind="form", asks=True)], at=at)
        work()

    return asked


def today(member, at):
    return member.workspace.local(at).date()


def offers(member, gate):
    with gate(member):
        found = Handoff.objects.select_related("offered_to__user").order_by("opened_at")
        return [(one.offered_to and one.offered_to.first_name, str(one.outcome)) for one in found]


def test_nobody_away_is_offered_a_lead_and_the_reason_says_so(rep, other_rep, ask, gate):
    with gate(rep) as at:
        away.take_off(rep, today(rep, at), today(rep, at) + timedelta(days=1), by=rep, at=at)
    ask(rep, "ann")
    ask(rep, "ben")
    assert offers(rep, gate) == [("Otto", ""), ("Otto", "")]
    with gate(rep) as at:
        says = {row["name"]: row["says"] for row in Handoff.objects.first().route["rows"]}
        assert says["Rita Rep"].startswith("Is away, up to and including ")
        away.take_off(other_rep, today(rep, at), today(rep, at), by=other_rep, at=at)
    ask(rep, "cat")
    assert offers(rep, gate)[-1] == (None, "")
    with gate(rep):
        pool = Handoff.objects.open().filter(offered_to=None)
        assert pool.count() == 3, "what waited for the second went on at once, as their day had begun"
        assert pool.get(lead__email="cat@mail.example").route["says"] == "Everybody who takes leads is away."


@pytest.fixture
def closed(rep, gate):
    """The business is closed today; the day on which a lead that comes now is worked."""
    with gate(rep) as at:
        away.close(rep.workspace, today(rep, at), today(rep, at), "Stocktaking", by=rep, at=at)
        return begins(rep.workspace, at)


def test_who_is_here_still_and_goes_before_a_lead_is_worked_is_not_said_to_be_away(
    rep, other_rep, manager, closed, ask, browse, gate
):
    back = closed + timedelta(days=3)
    with gate(rep) as at:
        away.take_off(rep, closed, back, by=rep, at=at)
    ask(rep, "ann")
    with gate(rep) as at:
        one = Handoff.objects.get()
        says = {row["name"]: row["says"] for row in one.route["rows"]}
        assert one.offered_to == other_rep
        assert says["Rita Rep"] == f"Is away from {said(closed)}, up to and including {said(back)}."
    given = {"reason": "They know each other", "to": str(rep.pk)}
    page = browse(manager).post(f"/handoffs/{one.pk}/pass/", given, follow=True).content.decode()
    assert f"Rita Rep is away from {said(closed)}, up to and including {said(back)}." in page
    with gate(rep) as at:
        one = Handoff.objects.open().get()
    browse(manager).post(f"/handoffs/{one.pk}/pass/", given | {"to": ""})
    with gate(rep) as at:
        says = f"Everybody who is here now and on {said(closed)} has had this one already."
        assert Handoff.objects.open().get().route["says"].endswith(says)
        away.take_off(other_rep, closed, back, by=other_rep, at=at)
    ask(rep, "ben")
    with gate(rep):
        one = Handoff.objects.open().get(lead__email="ben@mail.example")
        assert one.route["says"] == f"Everybody who takes leads is away now or on {said(closed)}."


def test_times_off_with_no_working_day_between_are_told_as_one(rep, other_rep, closed, ask, gate):
    friday = closed + timedelta(days=4 - closed.weekday())
    with gate(rep) as at:
        for first, last in ((today(rep, at), friday), (3, 7), (11, 12)):
            days = [one if isinstance(one, date) else friday + timedelta(days=one) for one in (first, last)]
            away.take_off(rep, *days, by=rep, at=at)
    ask(rep)
    with gate(rep):
        says = {row["name"]: row["says"] for row in Handoff.objects.get().route["rows"]}
    assert says["Rita Rep"] == f"Is away, up to and including {said(friday + timedelta(days=7))}."


def test_somebody_else_s_time_off_is_not_told_of_those_who_take_leads(owner, marketer, ask, gate):
    with gate(owner) as at:
        away.take_off(marketer, today(owner, at), today(owner, at), by=owner, at=at)
    ask(owner)
    with gate(owner):
        assert Handoff.objects.get().route["says"] == "Nobody takes leads at the moment."


def test_what_waits_goes_to_somebody_else_when_the_time_off_begins_and_not_before(rep, other_rep, ask, gate, work):
    ask(rep)
    first_to = offers(rep, gate)[0][0]
    gone = rep if first_to == "Rita" else other_rep
    with gate(rep) as at:
        day = today(rep, at) + timedelta(days=2)
        away.take_off(gone, day, day, by=gone, at=at)
        Handoff.objects.update(remind_at=at + timedelta(days=9), due_at=at + timedelta(days=9))
        begins = datetime.combine(day, time(), rep.workspace.zone)
    work(begins - timedelta(minutes=1))
    assert ("Rita" if gone is rep else "Otto", "") in offers(rep, gate)
    work(begins + timedelta(minutes=1))
    assert offers(rep, gate) == [
        (gone.first_name, Outcome.REROUTED),
        ("Otto" if gone is rep else "Rita", ""),
    ]


def test_time_off_that_is_taken_back_moves_nothing(rep, other_rep, ask, gate, work):
    ask(rep)
    before = offers(rep, gate)
    with gate(rep) as at:
        day = today(rep, at) + timedelta(days=1)
        for one in (rep, other_rep):
            away.come_back(away.take_off(one, day, day, by=one, at=at), by=one, at=at)
        Handoff.objects.update(remind_at=at + timedelta(days=9))
    work(at + timedelta(hours=25))
    assert offers(rep, gate)[0] == before[0]


def test_the_clock_skips_holidays_and_counts_back_to_the_same_hours(owner, gate):
    """Friday noon, eight hours, Monday closed: three hours are left for Tuesday; across the change of clocks too."""
    friday = datetime(2026, 3, 27, 12, tzinfo=UTC)
    with gate(owner) as at:
        assert after(owner.workspace, friday, 8) == datetime(2026, 3, 30, 11, tzinfo=UTC)
        owner.workspace.closed = {"2026-03-30": ""}
        owner.workspace.__dict__.pop("holidays", None)
        due = after(owner.workspace, friday, 8)
        assert due == datetime(2026, 3, 31, 11, tzinfo=UTC)
        assert between(owner.workspace, friday, due) == timedelta(hours=8)
        assert between(owner.workspace, due, friday) == -timedelta(hours=8)
        assert away.close(
            owner.workspace, today(owner, at), today(owner, at) + timedelta(days=9), "Inventory", by=owner, at=at
        ) == [today(owner, at) + timedelta(days=ahead) for ahead in range(10)]  # fmt: skip
        opens = after(owner.workspace, at, 0.1)
        assert owner.workspace.local(opens).date() >= today(owner, at) + timedelta(days=10)


def test_a_promise_always_ends_however_many_holidays_somebody_enters(owner, gate):
    owner.workspace.hours = [[["09:00", "09:30"]]] + [[]] * 6
    with gate(owner) as at:
        first = today(owner, at)
        away.close(owner.workspace, first, first + timedelta(days=199), "", by=owner, at=at)
        with pytest.raises(away.WrongDays, match="200 days"):
            away.close(owner.workspace, first + timedelta(days=200), first + timedelta(days=200), "", by=owner, at=at)
        assert after(owner.workspace, at, 150 * 1.5) > at
        assert len(Workspace.objects.get(pk=owner.workspace.pk).closed) == 200


def test_a_member_enters_their_own_days_and_nobody_elses(rep, other_rep, manager, browse, gate):
    page = browse(rep)
    with gate(rep) as at:
        first = today(rep, at) + timedelta(days=3)
    given = {"which": "off", "first": first.isoformat(), "last": (first - timedelta(days=1)).isoformat()}
    refused = page.post(reverse("me"), given)
    assert refused.status_code == 422
    assert "The last day comes before the first." in refused.content.decode()
    assert page.post(reverse("me"), given | {"last": ""}).status_code == 302
    twice = page.post(reverse("me"), given | {"last": ""})
    assert "is away from" in twice.content.decode()
    with gate(rep):
        off = TimeOff.objects.get()
        assert (off.member, off.first, off.last) == (rep, first, first)
    assert browse(other_rep).post(reverse("time-off-remove", args=[off.pk])).status_code == 403
    assert browse(other_rep).post(reverse("time-off-add"), given).status_code == 403
    leads = browse(manager)
    assert "Rita Rep" in leads.get(reverse("people")).content.decode()
    assert leads.post(reverse("time-off-add"), given | {"member": other_rep.pk, "last": ""}).status_code == 302
    assert leads.post(reverse("time-off-remove", args=[off.pk]), {"from": "people"}).url.startswith("/people/")
    with gate(rep):
        assert TimeOff.objects.get().member == other_rep


def test_only_who_can_be_given_leads_is_asked_for_time_off(owner, manager, rep, marketer, viewer, browse):
    asked = [who.role for who in (owner, manager, rep, marketer, viewer) if "Time off" in told(browse(who))]
    assert asked == ["owner", "manager", "rep"]


def told(client):
    return client.get(reverse("me")).content.decode()


def test_a_day_closed_already_says_what_it_is_called_and_takes_another_name(owner, browse, gate):
    page = browse(owner)

    def close(first, last, name):
        days = {"first": first.isoformat(), "last": last.isoformat()}
        return page.post(reverse("holidays"), {**days, "name": name}, follow=True).content.decode()

    with gate(owner) as at:
        first = owner.workspace.local(at).date() + timedelta(days=30)
    first += timedelta(days=-first.weekday() % 7)
    second = first + timedelta(days=1)
    close(first, first, "Inventory")
    assert f"{said(first)} was closed already, as “Inventory”." in close(first, first, "")
    assert f"{said(first)} was closed already; it is called “A fair” now." in close(first, first, "A fair")
    assert "Closed on 1 day more." in close(first, second, "Repairs").replace("\N{NO-BREAK SPACE}", " ")
    with gate(owner):
        closed = Workspace.objects.get(pk=owner.workspace_id).closed
    assert closed == {first.isoformat(): "A fair", second.isoformat(): "Repairs"}, "among new days each keeps its name"
    assert "These days were closed already; they are called “Winter” now." in close(first, second, "Winter")
    assert "These days were closed already." in close(first, second, "Winter")


def test_a_day_on_which_nobody_would_have_worked_is_no_day_more(owner, browse, gate):
    with gate(owner) as at:
        friday = today(owner, at) + timedelta(days=30)
    friday += timedelta(days=(4 - friday.weekday()) % 7)
    page = browse(owner)

    def close(first, last):
        days = (("first", first), ("last", last))
        given = {name: (friday + timedelta(days=ahead)).isoformat() for name, ahead in days}
        return page.post(reverse("holidays"), given, follow=True).content.decode().replace("\N{NO-BREAK SPACE}", " ")

    assert f"Noted. Nobody works here on {said(friday + timedelta(days=1))} anyway." in close(1, 1)
    assert "Closed on 2 days more." in close(0, 3), "Friday and Monday"
    assert "Noted. Nobody works here on these days anyway." in close(8, 9)
    with gate(owner):
        assert len(Workspace.objects.get(pk=owner.workspace_id).closed) == 6, "should it open on one, it stays closed"


def test_holidays_are_for_owner_and_manager_and_a_running_clock_stands_still_on_them(rep, manager, ask, browse, gate):
    ask(rep)
    with gate(rep) as at:
        due = Handoff.objects.get().due_at
        first = today(rep, at)
    given = {"first": first.isoformat(), "last": (first + timedelta(days=4)).isoformat(), "name": "Winter"}
    assert browse(rep).post(reverse("holidays"), given).status_code == 403
    page = browse(manager)
    assert page.post(reverse("holidays"), given).status_code == 302
    assert page.get(reverse("holidays")).content.decode().count("Winter") == 5
    assert page.post(reverse("holidays"), {"first": "2026-02-30"}).status_code == 422
    ask(rep, "ben")
    with gate(rep):
        old, new = Handoff.objects.order_by("opened_at")
        assert due < old.due_at <= new.due_at
    assert page.post(reverse("holiday-remove", args=[given["first"]])).status_code == 302
    assert page.post(reverse("holiday-remove", args=[given["first"]])).status_code == 404
    assert page.get(reverse("holidays")).content.decode().count("Winter") == 4


def test_a_past_day_is_told_at_the_field_where_it_was_written(owner, browse, gate):
    with gate(owner) as at:
        before = today(owner, at) - timedelta(days=2)
    for last, field in (
        ("", "first"),
        (before.isoformat(), "first"),
        ((before + timedelta(days=1)).isoformat(), "last"),
    ):
        answer = browse(owner).post(reverse("holidays"), {"first": before.isoformat(), "last": last})
        assert dict(answer.context["form"].errors) == {field: ["These days are past."]}
