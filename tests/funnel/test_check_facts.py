"""check_facts is silent on a sound business and is seen to fail on each kind of damage."""

import contextlib
import json
from datetime import timedelta
from io import StringIO
from uuid import uuid4

import pytest
from django.core.management import call_command
from django.db import connection

from funnel.handoff.models import Handoff
from funnel.leads.identity import Capture
from funnel.leads.models import Lead, SearchText
from funnel.leads.receiving import receive
from funnel.leads.stages import Stage
from funnel.ledger.models import Revenue
from funnel.mail.models import Message
from funnel.outbox.models import Effect, Event, State
from funnel.scoring.models import LeadScore, ScorePoint
from sales.close import actions as close
from sales.deals import actions as deals
from sales.deals.models import Deal


@pytest.fixture
def scene(gate, rep, work):
    """Three leads: one ready, one taken with an open deal, one who bought."""
    with gate(rep) as at:
        receive(
            rep.workspace,
            [
                Capture(kind="form", email="a@one.example", asks=True),
                Capture(kind="form", email="b@two.example"),
                Capture(kind="form", email="c@three.example", asks=True),
            ],
            at=at,
        )
    work()
    with gate(rep) as at:
        from funnel.handoff.actions import accept

        accept(Lead.objects.get(email="c@three.example"), by=rep, at=at)
        deals.open_deal(Lead.objects.get(email="c@three.example"), by=rep, at=at)
        bought = deals.open_deal(Lead.objects.get(email="b@two.example"), by=rep, at=at, amount=10_00)
        close.win(bought, by=rep, at=at)


def facts():
    out = StringIO()
    with contextlib.suppress(SystemExit):
        call_command("check_facts", stdout=out)
    return json.loads(out.getvalue())


def test_a_difference_ends_the_command_with_one(scene, rep, gate):
    with gate(rep) as at:
        damage_holder(at)
    with pytest.raises(SystemExit) as ended:
        call_command("check_facts", stdout=StringIO())
    assert ended.value.code == 1


def test_a_sound_business_has_no_difference(scene, rep):
    found = facts()
    assert found["ok"]
    assert (found["leads"], found["differences"]) == (3, 0)


@pytest.mark.once
def test_three_times_as_many_leads_take_three_times_the_work(rep, gate):
    connection.ensure_connection()

    def steps(first, last):
        with gate(rep) as at:
            captures = [Capture(external_id=str(n)) for n in range(first, last)]
            receive(rep.workspace, captures, at=at, lane=None)
            Lead.objects.filter(stage="new").move(Stage.WORKING, at=at, by=rep, holder=rep)
        taken = []
        connection.connection.set_progress_handler(lambda: taken.append(1), 100)
        facts()
        connection.connection.set_progress_handler(None, 0)
        return len(taken)

    assert 4 * steps(0, 100) > steps(100, 300)


def damage_holder(at):
    Lead.objects.filter(stage="qualified").update(holder=None)


def damage_handoff(at):
    Handoff.objects.open().update(outcome="expired", closed_at=at)


def damage_second_place(at):
    Lead.objects.filter(stage="ready").update(stage="nurturing")


def damage_engagement(at):
    LeadScore.objects.filter(lead__email="a@one.example").update(total=99.0)


def damage_ledger(at):
    ScorePoint.objects.filter(lead__email="b@two.example").delete()


def damage_fit(at):
    LeadScore.objects.filter(lead__email="b@two.example").update(fit=3)


def damage_missing_score(at):
    LeadScore.objects.filter(lead__email="b@two.example").delete()


def damage_late_effect(at):
    Effect.objects.filter(handler="remind").update(due_at=at - timedelta(seconds=61))


def damage_outcome(at):
    Handoff.objects.filter(outcome="accepted").update(closed_at=None)


def damage_customer(at):
    Lead.objects.filter(email="b@two.example").update(stage="lost", customer_since=None, holder=None)


def damage_customer_since(at):
    Lead.objects.filter(email="b@two.example").update(customer_since=None)


def damage_open_deal(at):
    Lead.objects.filter(email="c@three.example").update(stage="nurturing", holder=None)


def damage_won_amount(at):
    Deal.objects.filter(stage="won").update(amount=99)


def damage_booking(at):
    Revenue.objects.all().delete()


def damage_second_booking(at):
    Revenue.objects.bulk_create([copied(one) for one in Revenue.objects.all()])


def damage_won_stage(at):
    Deal.objects.filter(stage="won").update(stage="demo")


def damage_search(at):
    SearchText.objects.filter(lead__email="b@two.example").update(text="somebody else")


def damage_index(at):
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("INSERT INTO funnel_searchindex (funnel_searchindex) VALUES ('delete-all')")
        else:
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
            cursor.execute(
                "CREATE OR REPLACE FUNCTION baton_leads_with(words text[], most integer) RETURNS SETOF uuid"
                " LANGUAGE sql AS 'SELECT NULL::uuid WHERE false'"
            )


def copied(row):
    row.pk = uuid4()
    return row


@pytest.mark.parametrize(
    ("damage", "fact"),
    [
        (damage_holder, "holder by stage"),
        (damage_handoff, "open handoff by stage"),
        (damage_second_place, "open handoff by stage"),
        (damage_engagement, "engagement"),
        (damage_ledger, "engagement"),
        (damage_fit, "fit"),
        (damage_missing_score, "score is missing"),
        (damage_late_effect, "effect is late"),
        (damage_outcome, "handoff outcome"),
        (damage_customer, "stage by deals"),
        (damage_customer_since, "stage by deals"),
        (damage_open_deal, "stage by deals"),
        (damage_won_amount, "revenue by deal"),
        (damage_booking, "revenue by deal"),
        (damage_second_booking, "revenue by deal"),
        (damage_won_stage, "revenue by deal"),
        (damage_search, "search"),
        (damage_index, "search"),
    ],
)
def test_it_fails_on_damage(scene, rep, gate, damage, fact):
    with gate(rep) as at:
        damage(at)
    found = facts()
    assert not found["ok"]
    assert fact in {one["fact"] for one in found["first"]}


def test_it_fails_on_a_reference_into_another_workspace(scene, rep, outsider, gate):
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("DROP TRIGGER funnel_event_lead_id_update")
            cursor.execute("DROP TRIGGER funnel_event_actor_id_update")
        else:
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
            cursor.execute("ALTER TABLE funnel_event DROP CONSTRAINT funnel_event_actor_id_in_workspace")
    with gate(rep):
        Event.objects.filter(kind="form").update(actor_id=outsider.pk)
    found = facts()
    assert "funnel.Event.actor" in {one["fact"] for one in found["first"]}


def test_what_waits_is_counted_apart_and_is_no_difference(scene, rep, gate):
    with gate(rep):
        Effect.objects.filter(handler="remind").update(state=State.STUCK)
        Message.objects.update(state="unknown")
    found = facts()
    assert found["ok"]
    # Both leads were offered at once, and one letter told of them.
    assert (found["effects"]["stuck"], found["messages"]["unknown"]) == (2, 1)
