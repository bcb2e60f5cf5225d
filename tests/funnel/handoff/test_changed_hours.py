"""Holidays and hours that change while a clock runs: what it has left in working time, it has left still."""

import re
from datetime import timedelta

import pytest
from django.urls import reverse

from funnel.handoff.models import Handoff
from funnel.leads.identity import Capture
from funnel.leads.receiving import receive
from funnel.mail.models import Message
from funnel.workspaces.hours import minutes_left
from funnel.workspaces.models import Workspace

MINUTE = timedelta(minutes=1)
MOMENTS = ("remind_at", "due_at", "reroute_at", "contact_due_at")


@pytest.fixture
def offered(workspace, rep, manager, gate, work):
    """An offer to somebody, of which half is not over yet."""
    with gate(workspace) as at:
        receive(workspace, [Capture(email="ann@bell.example", kind="form", asks=True)], at=at)
    work()
    with gate(workspace):
        return Handoff.objects.get()


def left(workspace, one, at):
    """The working minutes until each of its moments, as the business works by now."""
    business = Workspace.objects.get(pk=workspace.pk)
    return [minutes_left(business, getattr(one, name), at) for name in MOMENTS]


def closed(workspace, client, moment):
    """Close the business on the day of a moment."""
    day = workspace.local(moment).date()
    assert client.post(reverse("holidays"), {"first": day.isoformat(), "last": "", "name": "Fair"}).status_code == 302
    return day


def late(gate, workspace):
    with gate(workspace):
        return Message.objects.filter(kind="handoff-late").count()


def test_a_clock_stands_still_on_a_holiday_that_is_entered_later(offered, workspace, manager, browse, gate, work):
    with gate(workspace) as at:
        before = left(workspace, offered, at)
    day = closed(workspace, browse(manager), offered.due_at)
    with gate(workspace) as at:
        now = Handoff.objects.get()
        assert left(workspace, now, at) == pytest.approx(before, abs=2)
        assert now.due_at > offered.due_at
        assert day not in {workspace.local(getattr(now, name)).date() for name in MOMENTS}
    page = browse(manager).get(reverse("handoffs")).content.decode()
    assert not re.search(r"\b0 min", page)
    work(at=offered.due_at + MINUTE)
    assert late(gate, workspace) == 0, "nobody is late on a day on which nobody works"
    work(at=now.due_at - MINUTE)
    assert late(gate, workspace) == 0
    work(at=now.due_at + MINUTE)
    assert late(gate, workspace) == 1
    work(at=now.reroute_at - MINUTE)
    with gate(workspace):
        assert Handoff.objects.get().pk == offered.pk
    work(at=now.reroute_at + MINUTE)
    with gate(workspace):
        assert Handoff.objects.filter(follows=offered.pk).exists()


def test_a_holiday_that_is_taken_back_gives_the_clock_its_end_again(offered, workspace, manager, browse, gate):
    day = closed(workspace, browse(manager), offered.due_at)
    browse(manager).post(reverse("holiday-remove", args=[day.isoformat()]))
    with gate(workspace):
        now = Handoff.objects.get()
        assert all(abs(getattr(now, name) - getattr(offered, name)) < 2 * MINUTE for name in MOMENTS)


def test_shorter_hours_put_off_what_is_due(offered, workspace, owner, browse, gate, work):
    with gate(workspace) as at:
        before = left(workspace, offered, at)
    sent = {"name": workspace.name, "timezone": workspace.time_zone}
    for fit, promise in workspace.promises.items():
        sent |= {f"{name}-{fit}": f"{hours:g}" for name, hours in promise.items()}
    sent |= {f"{edge}-{day}": hour for day in range(7) for edge, hour in (("opens", "09:00"), ("closes", "10:00"))}
    answer = browse(owner).post(reverse("business"), sent, follow=True)
    assert "Clocks that run keep the working time they have left." in answer.content.decode()
    with gate(workspace) as at:
        now = Handoff.objects.get()
        assert left(workspace, now, at) == pytest.approx(before, abs=2)
        assert now.due_at > offered.due_at
    work(at=now.due_at - MINUTE)
    assert late(gate, workspace) == 0


def test_who_was_taken_is_to_be_spoken_to_after_the_holiday(offered, workspace, rep, manager, browse, gate):
    assert browse(rep).post(f"/sales/leads/{offered.lead_id}/take/").status_code == 302
    day = closed(workspace, browse(manager), offered.contact_due_at)
    with gate(workspace):
        assert workspace.local(Handoff.objects.get().contact_due_at).date() > day


def test_what_is_late_stays_late(offered, workspace, manager, browse, gate, work):
    with gate(workspace):
        Handoff.objects.update(due_at=offered.opened_at - MINUTE)
    day = closed(workspace, browse(manager), offered.reroute_at)
    with gate(workspace):
        now = Handoff.objects.get()
        assert now.due_at == offered.opened_at - MINUTE
        assert workspace.local(now.reroute_at).date() > day
