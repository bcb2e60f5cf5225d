"""Until somebody has spoken to a lead that was taken, the desk and the lead's page say by when."""

from datetime import timedelta

import pytest
from django.urls import reverse

from funnel.handoff import actions as handoff
from funnel.handoff.models import GiveBackReason, Handoff
from funnel.leads.actions import touch
from funnel.leads.identity import Capture
from funnel.leads.models import Lead
from funnel.leads.receiving import receive
from funnel.templatetags.words import day
from sales.close import actions as close
from sales.deals import actions as deals
from sales.deals.models import LostReason


@pytest.fixture
def taken(gate, rep, work):
    """A lead that the rep took just now."""
    with gate(rep) as at:
        receive(rep.workspace, [Capture(name="Ann Bell", email="ann@bell.example", asks=True)], at=at)
    work()
    with gate(rep) as at:
        return handoff.accept(Lead.objects.get(), by=rep, at=at)


def desk(browse, rep):
    return browse(rep).get(reverse("sales:desk")).content.decode()


def test_the_desk_says_by_when_and_late_comes_first(taken, rep, browse, gate):
    page = desk(browse, rep)
    assert "Call first" in page
    assert "speak to them by" in page
    with gate(rep) as at:
        Handoff.objects.update(began_at=at - timedelta(days=9), contact_due_at=at - timedelta(days=7))
    page = desk(browse, rep)
    assert page.index("<h3>Late") < page.index("Call first")
    assert "were to be spoken to by" in page
    late = browse(rep).get(reverse("lead", args=[taken.pk])).content.decode()
    assert "were to be spoken to by" in late
    assert "Taken, and not spoken to in time" in browse(rep).get(reverse("handoffs")).content.decode()


def test_a_call_that_was_promised_for_a_later_day_stands_under_today_as_a_promise(taken, rep, browse, gate):
    with gate(rep) as at:
        begins = rep.workspace.local(at).replace(hour=0, minute=0, second=0)
        later, tonight = begins + timedelta(days=3), begins + timedelta(hours=23, minutes=59, seconds=59)
        Handoff.objects.update(contact_due_at=later)
    assert f'<span class="when">Promised by {day(later)}</span>' in desk(browse, rep)
    with gate(rep):
        Handoff.objects.update(contact_due_at=tonight)
    assert '<span class="when">By 23:59</span>' in desk(browse, rep)


def test_once_somebody_spoke_to_them_it_says_when_and_how_soon(taken, rep, browse, gate):
    with gate(rep) as at:
        touch(taken, "call_made", by=rep, at=at)
    for page in (desk(browse, rep), browse(rep).get(reverse("lead", args=[taken.pk])).content.decode()):
        assert "First spoken to today" in page
        assert "speak to them by" not in page


def test_of_a_customer_nobody_is_told_to_speak_to_them_for_the_first_time(taken, rep, browse, gate):
    with gate(rep) as at:
        close.win(deals.open_deal(taken, by=rep, at=at, amount=100), by=rep, at=at)
    assert "speak to them by" not in browse(rep).get(reverse("lead", args=[taken.pk])).content.decode()


def test_who_had_the_latest_deal_with_somebody_gets_them_again(gate, rep, other_rep, work):
    with gate(rep) as at:
        (got,) = receive(rep.workspace, [Capture(email="ann@mail.example")], at=at)
        deal = deals.open_deal(got.lead, by=other_rep, at=at, amount=100)
        Lead.objects.filter(pk=got.lead.pk).update(stage="nurturing", holder=None)
        deal.__class__.objects.filter(pk=deal.pk).update(stage="lost", closed_at=at)
        lead = Lead.objects.get(pk=got.lead.pk)
        handoff.open_for([lead], why={lead.pk: "."}, workspace=rep.workspace, at=at)
        one = Handoff.objects.open().get()
        assert one.offered_to == other_rep
        assert one.route["says"] == "Otto Rep had a deal with this person."


@pytest.mark.parametrize("end", ["won", "lost", "set aside", "given back"])
def test_who_is_not_with_sales_any_more_waits_for_no_call(taken, end, rep, browse, gate):
    with gate(rep) as at:
        Handoff.objects.update(began_at=at - timedelta(days=9), contact_due_at=at - timedelta(days=7))
    assert browse(rep).get(reverse("handoffs")).context["silent_count"] == 1
    with gate(rep) as at:
        lead = Lead.objects.get()
        if end in ("won", "lost"):
            deal = deals.open_deal(lead, by=rep, at=at, amount=100)
            if end == "won":
                close.win(deal, by=rep, at=at)
            else:
                close.lose(deal, reason=LostReason.objects.first(), by=rep, at=at)
        elif end == "set aside":
            handoff.disqualify(lead, by=rep, at=at)
        else:
            handoff.give_back(lead, reason=GiveBackReason.objects.get(key="no-answer"), by=rep, at=at)
    page = browse(rep).get(reverse("handoffs"))
    assert (page.context["silent_count"], page.context["silent"]) == (0, [])
    assert "were to be spoken to by" not in browse(rep).get(reverse("lead", args=[taken.pk])).content.decode()
