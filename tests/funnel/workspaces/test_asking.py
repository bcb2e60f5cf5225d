"""A statement that was built once answers as its queryset would, and never over the wall."""

from datetime import datetime, timedelta

import pytest
from django.db import connection
from django.db.models import Count
from django_scopes.exceptions import ScopeError

from funnel.leads.identity import Capture
from funnel.leads.models import Company, Lead, LeadKey
from funnel.leads.receiving import receive
from funnel.workspaces.asking import Asked, together
from funnel.workspaces.gate import everywhere
from funnel.workspaces.ids import uuid7
from funnel.workspaces.models import ApiKey, Workspace

LEADS = Asked(
    lambda pk, stage: (
        Lead.objects.filter(pk__in=[pk], stage__in=[stage]).select_related("source", "company__holder").order_by("name")
    ),
    *(type(uuid7()), str),
)
KEYS = Asked(lambda value: LeadKey.objects.filter(value__in=[value], kind="email").values_list("lead_id", "kind"), str)


@pytest.fixture(autouse=True, params=["planned each time", "kept planned"])
def kept(request, settings):
    """As the worker asks, and as a page does."""
    settings.KEEP_PLANS = not settings.SQLITE and request.param == "kept planned"


@pytest.fixture
def leads(owner, gate):
    with gate(owner) as at:
        captures = [
            Capture(name=f"Pat {number}", email=f"pat{number}@firm{number}.example", fields={}) for number in range(3)
        ]
        made = [one.lead for one in receive(owner.workspace, captures, at=at)]
        Company.objects.filter(domain="firm1.example").update(holder=owner)
        return made


def test_it_gives_what_the_queryset_gives_however_many_are_asked_for(owner, gate, leads):
    ids = [lead.pk for lead in leads]
    with gate(owner):
        for asked in (ids[:1], ids, ids[1:]):
            found = LEADS.rows(asked, ["new", "ready"])
            there = list(Lead.objects.filter(pk__in=asked).select_related("source", "company__holder").order_by("name"))
            assert found == there
            assert [one.__dict__.keys() for one in found] == [one.__dict__.keys() for one in there]
            assert [(one.received_at, one.fields, one.source.channel, one.company.holder) for one in found] == [
                (one.received_at, one.fields, one.source.channel, one.company.holder) for one in there
            ]
        assert LEADS.rows(ids, ["lost"]) == []
        assert LEADS.rows([], ["new"]) == []
        assert KEYS.rows(["pat1@firm1.example", "+44"]) == [(ids[1], "email")]


def test_it_sees_only_the_open_workspace(owner, outsider, gate, leads):
    ids = [lead.pk for lead in leads]
    with gate(owner):
        assert len(LEADS.rows(ids, ["new"])) == 3
    with gate(outsider):
        assert LEADS.rows(ids, ["new"]) == []
    with pytest.raises(ScopeError):
        LEADS.rows(ids, ["new"])


def test_several_asked_at_once_give_what_each_gives_in_its_order(owner, gate, leads, django_assert_num_queries):
    ids = [lead.pk for lead in leads]
    counted = Asked(
        lambda: Company.objects.annotate(many=Count("leads")).select_related("holder__user").order_by("-id")
    )
    # Columns of the same place have other types: a moment beside a number, words beside a yes or no.
    moments = Asked(
        lambda pk: Lead.objects.filter(pk__in=[pk]).order_by("-name").values_list("received_at", "stage", "fields"),
        type(uuid7()),
    )
    holders = Asked(lambda: Company.objects.order_by("domain").values_list("holder__active", "holder__joined_at"))
    questions = [(LEADS, [ids, ["new"]]), (counted, []), (moments, [ids]), (holders, []), (LEADS, [ids, ["lost"]])]
    with gate(owner):
        alone = [asked.rows(*values) for asked, values in questions]
        with django_assert_num_queries(1):
            found = together(questions)
        assert found == alone
        assert [[vars(one).keys() for one in rows] for rows in (found[0], found[1])] == [
            [vars(one).keys() for one in rows] for rows in (alone[0], alone[1])
        ]
        assert [one.many for one in found[1]] == [one.many for one in counted.build()] == [1, 1, 1]
        assert [one.holder for one in found[1]] == [one.holder for one in counted.build()]
        assert found[2] == list(moments.build(ids[0]).model.objects.order_by("-name").values_list(
            "received_at", "stage", "fields"
        ))  # fmt: skip
        assert found[3][1] == (True, owner.joined_at)


def test_of_nothing_there_is_nothing_beside_what_others_are_asked(owner, gate, leads):
    ids = [lead.pk for lead in leads]
    with gate(owner):
        assert together([(LEADS, [[], ["new"]]), (LEADS, [ids[:1], ["new"]])]) == [[], leads[:1]]


def test_a_moment_is_compared_as_the_database_keeps_it(owner, gate, leads):
    came = Asked(lambda at, pk: Lead.objects.filter(received_at__lt=at, pk__in=[pk]), datetime, type(uuid7()))
    first = leads[0]
    with gate(owner):
        for at in (first.received_at, first.received_at + timedelta(microseconds=1)):
            assert came.rows([at], [first.pk]) == list(Lead.objects.filter(received_at__lt=at, pk=first.pk))
        assert came.rows([first.received_at], [first.pk]) == []
        assert came.rows([at], [first.pk]) == [first]


def test_several_asked_at_once_see_only_the_open_workspace(owner, outsider, gate, leads):
    ids = [lead.pk for lead in leads]
    with gate(outsider):
        assert together([(LEADS, [ids, ["new"]]), (LEADS, [ids, ["ready"]])]) == [[], []]
    with pytest.raises(ScopeError):
        together([(LEADS, [ids, ["new"]])])


def test_what_is_not_built_of_its_arguments_is_refused(owner, gate):
    with gate(owner), pytest.raises(ValueError, match="by pieces"):
        Asked(lambda pk: Lead.objects.all(), type(uuid7())).rows([uuid7()])
    with gate(owner), pytest.raises(ScopeError):
        Asked(lambda pk: Workspace.objects.filter(pk__in=[pk]), type(uuid7())).rows([uuid7()])


def test_outside_of_all_workspaces_only_those_ask_who_have_taken_the_wall_away(owner, gate):
    keys = Asked(lambda one: ApiKey.objects.filter(digest__in=[one]), str, outside=True)
    with everywhere():
        assert keys.rows(["nobody’s"]) == []
    with pytest.raises(ScopeError):
        keys.rows(["nobody’s"])
    with gate(owner), pytest.raises(ScopeError):
        keys.rows(["nobody’s"])


@pytest.mark.postgres
def test_a_page_is_planned_once_and_told_again_to_a_new_connection(transactional_db, owner, gate, settings):
    settings.KEEP_PLANS = True
    for _ in range(2):
        connection.close()
        with gate(owner):
            with connection.cursor() as cursor:
                cursor.execute("SET plan_cache_mode = force_generic_plan")
            for _ in range(7):
                together([(LEADS, [[uuid7()], ["new"]]), (KEYS, [["+44", "+43"]])])
            with connection.cursor() as cursor:
                cursor.execute(
                    "SELECT generic_plans, custom_plans FROM pg_prepared_statements"
                    " WHERE statement LIKE '%AS (SELECT%funnel_leadkey%'"
                )
                assert cursor.fetchall() == [(7, 0)]
