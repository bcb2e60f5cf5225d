"""Booking by hand: what is in the way is said, by its time and its lead."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.urls import reverse

from sales.demos import actions as demos
from sales.demos.models import Demo
from tests.sales.demos.conftest import HALF

pytestmark = pytest.mark.django_db


def text(answer):
    return " ".join(answer.content.decode().split())


def typed(member, starts_at, **also):
    local = member.workspace.local(starts_at)
    given = {"on": local.date().isoformat(), "hour": f"{local:%H:%M}", "minutes": "30", "title": "Visit", "place": ""}
    return given | also


def test_a_refused_time_says_when_the_other_demo_is_and_with_whom(rep, demo_of, catch, browse, gate):
    first = demo_of(rep, "Ann Bell")
    form = reverse("sales:demo-book", args=[catch(rep, "Ben Bell").pk])
    answer = browse(rep).post(form, typed(rep, first.starts_at + timedelta(minutes=15)))
    assert answer.status_code == 409
    assert "09:00 to 09:30, with Ann Bell." in text(answer)
    later = demo_of(rep, "Cat Bell", hour=11)
    answer = browse(rep).post(reverse("sales:demo-move", args=[later.pk]), typed(rep, first.starts_at))
    assert (answer.status_code, "09:00 to 09:30, with Ann Bell." in text(answer)) == (409, True)
    with gate(rep) as at:
        assert Demo.objects.count() == 2
        with pytest.raises(demos.Taken) as taken:
            demos.move(later, {"starts_at": first.starts_at, "ends_at": first.starts_at + HALF}, by=None, at=at)
    assert "Ann" not in taken.value.sentence, "a lead that moves its own reads nobody's name"
