"""A statement that was built once answers as its queryset would, and never over the wall."""

import pytest
from django_scopes.exceptions import ScopeError

from funnel.leads.identity import Capture
from funnel.leads.models import Company, Lead, LeadKey
from funnel.leads.receiving import receive
from funnel.workspaces.asking import Asked
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
