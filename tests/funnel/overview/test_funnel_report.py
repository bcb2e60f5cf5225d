"""The funnel report over the API says what a recount of the timeline says."""

from __future__ import annotations

import random
from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from itertools import product
from statistics import median

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from funnel.leads.identity import Capture
from funnel.leads.models import Lead
from funnel.leads.receiving import receive
from funnel.leads.stages import Stage
from funnel.ledger.actions import book_revenue, correct
from funnel.ledger.models import Revenue
from funnel.outbox.models import Event
from funnel.overview.entries import entries
from funnel.workspaces.months import periods_at
from sales.close import actions as close
from sales.deals import actions as deals

STAGES = ("new", "ready", "working", "qualified", "demo", "negotiation", "customer")
WAYS = [("radio", "Spring"), ("Radio", "SPRING"), ("flyer", ""), ("email", "Für Bäcker"), ("EMAIL", "für bäcker")]


@pytest.fixture
def quarter(owner, rep, other_rep, gate):
    """A business in which everything happens: skipped stages, ways back, wins before the lead came, corrections."""
    dice = random.Random(20)
    with gate(owner) as at:
        captures = [
            Capture(
                email=f"a{n}@b.example", channel=way[0], campaign=way[1],
                occurred_at=at - timedelta(days=dice.uniform(1, 120)),
            )
            for n in range(90)
            for way in [dice.choice(WAYS)]
        ]  # fmt: skip
        leads = [result.lead for result in receive(owner.workspace, captures, at=at)]
        for lead in leads:
            moment = lead.received_at
            for _ in range(dice.choice([0, 0, 1, 2, 3, 4])):
                moment += timedelta(days=dice.uniform(-2, 9))
                to = dice.choice([*STAGES[1:-1], "nurturing", "lost", "qualified", "demo"])
                if to != "ready":
                    lead.move(
                        Stage(to), at=at, by=owner, holder=dice.choice([rep, other_rep]), occurred_at=min(moment, at)
                    )
        for lead in dice.sample(leads, 30):
            deal = deals.open_deal(lead, by=owner, at=at, amount=dice.randrange(1, 10**6), holder=rep)
            when = lead.received_at + timedelta(days=dice.uniform(-30, 30))
            close.win(deal, by=owner, at=at, occurred_at=min(when, at))
            if dice.random() < 0.3:
                close.undo(deal, by=owner, at=at)
            if dice.random() < 0.3:
                booked = book_revenue(lead, 777, "GBP", by=owner, at=at, holder=other_rep)
                if dice.random() < 0.5:
                    correct(booked, by=owner, at=at)
    return at


def days(later, earlier):
    return (later - earlier) / timedelta(days=1)


def recount(workspace, first, last, by):
    """The report from the events and the ledger alone, lead by lead."""
    kept = []
    for lead in Lead.objects.select_related("source", "holder__user"):
        if not first <= workspace.local(lead.received_at).date() < last:
            continue
        came = {"new": lead.received_at}
        for event in Event.objects.in_force().filter(lead=lead, kind="moved").order_by("-occurred_at"):
            came[event.data["to"]] = event.occurred_at
        came.pop("customer", None)
        if lead.customer_since:
            came["customer"] = lead.customer_since
        for place in range(len(STAGES) - 2, 0, -1):
            if STAGES[place] not in came and STAGES[place + 1] in came:
                came[STAGES[place]] = came[STAGES[place + 1]]
        kept.append((lead, came))
    stages = []
    for place, stage in enumerate(STAGES):
        entered = [(lead, came) for lead, came in kept if stage in came]
        stages.append(
            {
                "stage": stage,
                "entered": len(entered),
                "converted": sum(1 for _, came in entered if any(one in came for one in STAGES[place + 1 :])),
                "median_days": median(days(came[stage], lead.received_at) for lead, came in entered)
                if entered
                else None,
            }
        )
    grouped = defaultdict(list)
    for lead, _ in kept:
        key = {
            "channel": lead.source.channel.casefold(),
            "campaign": (lead.source.campaign or "none").casefold(),
            "month": f"{workspace.local(lead.received_at):%Y-%m}",
            "member": lead.holder.email if lead.holder else "none",
        }[by]
        grouped[key].append(lead)
    groups = {}
    for key, leads in grouped.items():
        won = [lead for lead in leads if lead.customer_since]
        pence = sum(one.base_amount for one in Revenue.objects.all() if one.lead in leads)
        groups[key] = {
            "leads": len(leads),
            "customers": len(won),
            "conversion": len(won) / len(leads),
            "median_days": median(days(one.customer_since, one.received_at) for one in won) if won else None,
            "revenue": f"{pence // 100}.{pence % 100:02}",
        }
    return stages, groups


def test_the_report_says_what_a_recount_says(quarter, owner, gate, api):
    keyed = api(owner)
    today = owner.workspace.local(quarter).date()
    periods = (date(2000, 1, 1), date(2100, 1, 1)), (today - timedelta(days=70), today - timedelta(days=20))
    for by, (first, last) in product(("channel", "campaign", "month", "member"), periods):
        told = keyed.get(f"reports/funnel/?from={first}&to={last}&by={by}").json()
        with gate(owner):
            stages, groups = recount(owner.workspace, first, last, by)
        assert [{**one, "median_days": pytest.approx(one["median_days"], abs=1e-7)} for one in stages] == told["stages"]
        assert {one.pop("key").casefold(): one for one in told["groups"]} == {
            key: {**one, "median_days": pytest.approx(one["median_days"], abs=1e-7)} for key, one in groups.items()
        }


def test_the_facts_hold_and_the_first_arrival_stays(quarter, owner, gate):
    from tests.funnel.test_check_facts import facts

    assert facts()["first"] == []
    with gate(owner) as at:
        lead = Lead.objects.filter(demo_at__isnull=False, customer_since=None, deals=None).first()
        first = lead.demo_at
        lead.move(Stage.NURTURING, at=at)
        lead.move(Stage.DEMO, at=at, holder=owner)
        assert Lead.objects.get(pk=lead.pk).demo_at == first
        Lead.objects.filter(pk=lead.pk).update(demo_at=at)
        Lead.objects.filter(demo_at=None, working_at=None).update(working_at=at)
    assert {one["fact"] for one in facts()["first"]} == {"arrival at a stage"}


def test_the_days_are_those_of_the_business(owner, api, gate):
    """New year comes to Auckland eleven hours before London's noon."""
    with gate(owner) as at:
        owner.workspace.time_zone = "Pacific/Auckland"
        owner.workspace.save(update_fields=["time_zone"])
        receive(
            owner.workspace,
            [
                Capture(email="a@b.example", occurred_at=datetime(2025, 12, 31, 10, 59, 59, tzinfo=UTC)),
                Capture(email="b@b.example", occurred_at=datetime(2025, 12, 31, 11, tzinfo=UTC)),
            ],
            at=at,
        )
    keyed = api(owner)
    assert keyed.get("reports/funnel/?from=2025-12-31&to=2026-01-01").json()["stages"][0]["entered"] == 1
    told = keyed.get("reports/funnel/?from=2026-01-01&by=month").json()
    assert [(one["key"], one["leads"]) for one in told["groups"]] == [("2026-01", 1)]
    both = keyed.get("reports/funnel/?by=month").json()["groups"]
    assert [(one["key"], one["leads"]) for one in both] == [("2025-12", 1), ("2026-01", 1)]


@pytest.mark.parametrize("part", [999_700, 0])
def test_the_last_millisecond_of_a_second_is_not_the_next_one(part, owner, api, gate):
    """Nor is a whole second, which is kept without its part, anything else."""
    came = datetime(2026, 3, 2, 9, 0, 0, part, tzinfo=UTC)
    with gate(owner) as at:
        (got,) = receive(owner.workspace, [Capture(email="a@b.example", occurred_at=came)], at=at)
        got.lead.move(Stage.READY, at=at, by=owner, occurred_at=came + timedelta(days=1, microseconds=400))
    for place, stage in enumerate(api(owner).get("reports/funnel/?from=2026-01-01").json()["stages"][:2]):
        assert stage["median_days"] * 86400 == pytest.approx(place * 86400.0004, abs=1e-5)


def test_no_month_is_cut_in_python_lead_by_lead(owner, api):
    keyed = api(owner)
    with CaptureQueriesContext(connection) as spent:
        assert keyed.get("reports/funnel/?by=month").status_code == 200
    assert not [row["sql"] for row in spent.captured_queries if "django_datetime" in row["sql"]]


@pytest.mark.parametrize("by", ["channel", "campaign", "month", "member"])
def test_an_empty_period_has_every_stage_and_no_group(by, owner, api):
    told = api(owner).get(f"reports/funnel/?from=2020-01-01&to=2020-01-01&by={by}").json()
    assert [one["stage"] for one in told["stages"]] == list(STAGES)
    assert {(one["entered"], one["converted"], one["median_days"]) for one in told["stages"]} == {(0, 0, None)}
    assert told["groups"] == []


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("from=2026-02-30", "from"),
        ("to=soon", "to"),
        ("from=2026-02-02&to=2026-02-01", "to"),
        ("by=rep", "by"),
        ("since=2026-01-01", "since"),
        ("from=0000-01-01", "from"),
        ("from=2026-W01-1", "from"),
    ],
)
def test_what_can_t_be_asked_is_400_naming_the_parameter(query, field, owner, api):
    answer = api(owner).get(f"reports/funnel/?{query}")
    assert (answer.status_code, list(answer.json()["errors"])) == (400, [field])


@pytest.mark.parametrize("zone", ["Pacific/Auckland", "America/Los_Angeles"])
def test_the_ends_of_time_are_no_trouble(zone, owner, api, gate):
    with gate(owner):
        owner.workspace.time_zone = zone
        owner.workspace.save(update_fields=["time_zone"])
    for query in ("from=0001-01-01&to=9999-12-31", "from=9999-12-31", "to=0001-01-01"):
        assert api(owner).get(f"reports/funnel/?{query}").status_code == 200


def test_a_rep_reads_of_their_own_leads_and_what_they_earned(quarter, rep, other_rep, api, gate, outsider):
    keyed = api(rep, "reports")
    told = keyed.get("reports/funnel/?by=member").json()
    with gate(rep):
        leads = Lead.objects.filter(holder=rep)
        assert told["stages"][0]["entered"] == leads.count() > 0
        mine = sum(Revenue.objects.filter(lead__in=leads, holder=rep).values_list("base_amount", flat=True))
    assert [(one["key"], one["revenue"]) for one in told["groups"]] == [(rep.email, f"{mine / 100:.2f}")]
    assert api(outsider).get("reports/funnel/").json()["groups"] == []
    assert api(rep, "leads").get("reports/funnel/").status_code == 403


def test_the_number_of_queries_does_not_grow(quarter, owner, api, gate):
    keyed = api(owner)

    def queries(by):
        with CaptureQueriesContext(connection) as asked:
            keyed.get(f"reports/funnel/?by={by}")
        return len(asked)

    queries("channel")  # notes when the key was used
    before = {by: queries(by) for by in ("channel", "campaign", "month", "member")}
    with gate(owner) as at:
        receive(owner.workspace, [Capture(email=f"x{n}@y.example", channel=f"c{n}") for n in range(20)], at=at)
    assert {by: queries(by) for by in before} == before


def entries_recounted(period, workspace):
    """The funnel of the owner's home, from the timeline alone."""
    since, until = (datetime.combine(day, datetime.min.time(), workspace.zone) for day in (period.first, period.after))
    told = []
    for place, stage in enumerate(STAGES):
        entered, on, stays = 0, 0, []
        for lead in Lead.objects.all():
            came = {"new": lead.received_at, **({"customer": lead.customer_since} if lead.customer_since else {})}
            for event in Event.objects.filter(lead=lead, kind="moved").order_by("-occurred_at"):
                if event.data["to"] in STAGES[1:-1]:
                    came[event.data["to"]] = event.occurred_at
            reached = [came[one] for one in STAGES[place:] if one in came]
            beyond = [came[one] for one in STAGES[place + 1 :] if one in came]
            if reached and since <= reached[0] < until:
                entered += 1
                on += bool(beyond)
                if beyond and stage in came:
                    stays.append(days(beyond[0], came[stage]))
        told.append((entered, on if place < len(STAGES) - 1 else None, median(stays) if stays else None))
    return told


def test_the_owner_s_funnel_counts_who_entered_in_the_period(quarter, owner, gate, browse):
    with gate(owner):
        for period in periods_at(quarter, owner.workspace).values():
            told = [(one.entered, one.went_on, one.days) for one in entries(period, owner.workspace)]
            again = entries_recounted(period, owner.workspace)
            assert [one[:2] for one in told] == [one[:2] for one in again]
            assert [one[2] for one in told] == [pytest.approx(one[2], abs=1e-7) for one in again]
            assert sum(one[0] for one in told)
    page = browse(owner).get("/?period=last-month").content.decode()
    assert f'<td class="num">{told[0][0]}</td>' in browse(owner).get("/?period=last-quarter").content.decode()
    assert "Who entered each stage in" in page
