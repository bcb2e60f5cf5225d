"""`manage.py import_leads`: what becomes of a table's rows."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from funnel.handoff.models import Handoff
from funnel.leads.models import FieldDefinition, Lead, LeadKey, Source
from funnel.leads.stages import Stage
from funnel.outbox.models import Effect, Event, Lane
from funnel.scoring.models import LeadScore
from funnel.transfer import importing
from funnel.workspaces.models import Member

from .conftest import HEADER, rows_of

pytestmark = pytest.mark.django_db
Bring = Callable[..., dict[str, Any]]


def everything(gate: Any, member: Member) -> tuple[Any, ...]:
    """All that an import could have changed."""
    with gate(member):
        return (
            sorted(Lead.objects.values_list("pk", "version", "updated_at", "stage", "source_id", "holder_id")),
            sorted(LeadKey.objects.values_list("kind", "value", "lead_id")),
            Event.objects.count(),
            Source.objects.count(),
            list(FieldDefinition.objects.values_list("name", flat=True)),
            Effect.objects.count(),
        )


def test_every_row_becomes_a_lead_known_by_its_id(bring_in: Bring, gate: Any, owner: Member) -> None:
    told = bring_in(rows_of(50))
    assert told == {"rows": 50, "new": 50, "changed": 0, "same": 0, "refused": 0, "dry_run": False}
    with gate(owner):
        assert Counter(Lead.objects.values_list("stage", flat=True)) == {"customer": 10, "nurturing": 40}
        lead = Lead.objects.get(external_id="7927b2df-8bba-4d29-b9a2-000000000003")
        assert lead.fields == {"origin": "API", "visits": "3", "city": "Mumbai"}
        assert (lead.source.channel, lead.email, lead.stage) == ("Olark Chat", "", Stage.NURTURING)


@pytest.mark.postgres
def test_postgresql_is_told_how_full_its_tables_are_while_a_list_comes_in(bring_in: Bring, monkeypatch: Any) -> None:
    """By itself it looks once a minute, and went through all events for each row of an empty business's first list."""
    monkeypatch.setattr(importing, "CHUNK", 20)
    bring_in(rows_of(85))
    with connection.cursor() as cursor:
        cursor.execute("SELECT relname, reltuples FROM pg_class WHERE relname IN ('funnel_event', 'funnel_lead')")
        seen = dict(cursor.fetchall())
    # After 20 rows, and after 80.
    assert seen["funnel_lead"] == 80
    assert seen["funnel_event"] >= 80


def test_a_custom_field_is_made_as_text(bring_in: Bring, gate: Any, owner: Member) -> None:
    bring_in(rows_of(2))
    with gate(owner):
        made = FieldDefinition.objects.all()
        assert {one.name: one.kind for one in made} == dict.fromkeys(["origin", "visits", "city", "notes"], "text")


def test_a_channel_in_two_spellings_is_one_source(bring_in: Bring, gate: Any, owner: Member) -> None:
    bring_in(rows_of(8))
    with gate(owner):
        names = sorted(Lead.objects.values_list("source__channel", flat=True).distinct())
        assert names == ["Direct Traffic", "Google", "Olark Chat"]


def test_a_customer_keeps_when_they_came(bring_in: Bring, gate: Any, owner: Member, rep: Member) -> None:
    header = ["Id", "Came", "State", "Who"]
    mapping = {"Id": "external_id", "Came": "received_at", "State": "stage", "Who": "holder"}
    rows = [
        ["a", "2024-03-01", "customer", rep.email.upper()],
        ["b", "2024-07-01T10:00", "lost", ""],
        ["c", "2024-07-01T10:00+05:30", "disqualified", ""],
    ]
    assert bring_in(rows, header=header, mapping=mapping)["new"] == 3
    with gate(owner):
        found = {lead.external_id: lead for lead in Lead.objects.select_related("holder")}
        assert (found["a"].stage, found["a"].holder) == ("customer", rep)
        assert found["a"].customer_since == found["a"].received_at == datetime(2024, 3, 1, tzinfo=UTC)
        # Nine o'clock in London's summer is ten on its clocks.
        assert (found["b"].stage, found["b"].received_at) == ("lost", datetime(2024, 7, 1, 9, tzinfo=UTC))
        assert (found["c"].stage, found["c"].received_at) == ("disqualified", datetime(2024, 7, 1, 4, 30, tzinfo=UTC))


def test_trying_it_out_changes_nothing(bring_in: Bring, gate: Any, owner: Member) -> None:
    before = everything(gate, owner)
    told = bring_in(rows_of(50), "--dry-run")
    assert told == {"rows": 50, "new": 50, "changed": 0, "same": 0, "refused": 0, "dry_run": True}
    assert everything(gate, owner) == before


def test_the_same_file_again_changes_nothing(bring_in: Bring, gate: Any, owner: Member, work: Any) -> None:
    bring_in(rows_of(50))
    work()
    before = everything(gate, owner)
    told = bring_in(rows_of(50))
    assert told == {"rows": 50, "new": 0, "changed": 0, "same": 50, "refused": 0, "dry_run": False}
    assert everything(gate, owner) == before


def test_a_changed_row_changes_its_lead_once(bring_in: Bring, gate: Any, owner: Member) -> None:
    bring_in(rows_of(5))
    rows = rows_of(5)
    rows[1][6] = "Delhi"
    rows[2][6] = ""
    told = bring_in(rows)
    assert (told["changed"], told["same"]) == (1, 4)
    with gate(owner):
        cities = {one.external_id[-1]: (one.fields.get("city"), one.version) for one in Lead.objects.all()}
    assert cities == {"0": ("Mumbai", 1), "1": ("Delhi", 2), "2": (None, 1), "3": ("Mumbai", 1), "4": (None, 1)}


def test_a_blank_overwrites_nothing(bring_in: Bring, gate: Any, owner: Member) -> None:
    bring_in(rows_of(1))
    rows = rows_of(1)
    rows[0][6] = "Select"
    assert bring_in(rows)["same"] == 1
    with gate(owner):
        assert Lead.objects.get().fields["city"] == "Mumbai"


def test_a_row_without_any_key_is_known_again_by_what_it_says(bring_in: Bring, gate: Any, owner: Member) -> None:
    header, mapping = ["Person", "Firm"], {"Person": "name", "Firm": "company"}
    rows = [["Ann", "Oak Ltd"], ["Ben", "Elm Ltd"], ["Cal", ""]]
    assert bring_in(rows, header=header, mapping=mapping)["new"] == 2
    told = bring_in(rows, header=header, mapping=mapping)
    assert (told["new"], told["same"], told["refused"]) == (0, 2, 1)


def test_the_same_person_twice_in_one_file_is_one_lead(bring_in: Bring, gate: Any, owner: Member) -> None:
    rows = rows_of(3)
    for words in ((), ("--dry-run",)):
        told = bring_in([*rows, rows[1], rows[2]], *words)
        assert told["rows"] == told["new"] + told["changed"] + told["same"] == 5
    with gate(owner):
        assert Lead.objects.count() == 3


def test_a_new_lead_begins_where_its_row_says_and_that_is_told_once(
    bring_in: Bring, gate: Any, owner: Member, rep: Member
) -> None:
    header = ["Id", "Came", "State", "Who"]
    mapping = {"Id": "external_id", "Came": "received_at", "State": "stage", "Who": "holder"}
    rows = [
        ["a", "2024-03-01", "customer", rep.email],
        ["a", "2023-03-01", "customer", rep.email],
        ["b", "", "lost", ""],
    ]
    told = bring_in([*rows, rows[2]], header=header, mapping=mapping)
    assert (told["new"], told["changed"], told["same"]) == (2, 1, 1)
    with gate(owner):
        ann = Lead.objects.get(external_id="a")
        assert (ann.stage, ann.holder, ann.version) == ("customer", rep, 1)
        assert ann.customer_since == ann.received_at == datetime(2023, 3, 1, tzinfo=UTC)
        moves = Event.objects.filter(kind="moved").order_by("lead__external_id").select_related("lead")
        for move, stage in zip(moves, ("customer", "lost"), strict=True):
            assert move.data == {"from": "new", "to": stage, "because": "imported"}
            assert (move.lead.stage, move.occurred_at) == (stage, move.recorded_at)
            assert move.pk > min(Event.objects.filter(lead=move.lead, kind="received").values_list("pk", flat=True))


def test_many_rows_at_once_keep_what_each_of_them_says(bring_in: Bring, gate: Any, owner: Member) -> None:
    firms = ["", "Back\\slash", "\\N", "\\t", "Größe 100 %s", "Oak"]
    rows = [[f"{number:03}", firms[number % 6], "Fall" if number == 129 else "Spring"] for number in range(130)]
    mapping = {"Id": "external_id", "Firm": "company", "Season": "fields.season"}
    assert bring_in(rows, header=["Id", "Firm", "Season"], mapping=mapping)["new"] == 130
    with gate(owner):
        found = Lead.objects.order_by("external_id").values_list("external_id", "company_name", "fields__season")
        assert [list(one) for one in found] == rows
        assert not Lead.objects.exclude(company=None, holder=None, email="").exists()


def test_refused_rows_are_written_in_their_own_columns_with_the_reason(
    bring_in: Bring, gate: Any, owner: Member
) -> None:
    rows = rows_of(6)
    rows[1][4] = "maybe"
    rows[4][0] = ""
    told = bring_in(rows)
    assert (told["new"], told["refused"]) == (4, 2)
    with Path(told["refused_file"]).open(newline="", encoding="utf-8-sig") as file:
        header, *refused = list(csv.reader(file))
    assert header == [*HEADER, "line", "reason"]
    assert {tuple(row[:9]) for row in refused} == {tuple(rows[1]), tuple(rows[4])}
    by_line = {row[9]: row[10] for row in refused}
    assert "Converted" in by_line["3"]
    assert "maybe" in by_line["3"]
    assert "external id" in by_line["6"]
    with gate(owner):
        assert Lead.objects.count() == 4


@pytest.mark.parametrize(
    ("cells", "says"),
    [
        (["x", "won", ""], "won"),
        (["x", "working", ""], "working"),
        (["x", "customer", "nobody@nowhere.example"], "nobody"),
        (["x", "nurturing", "olga@first.example"], "Only a customer"),
    ],
)
def test_a_value_that_nobody_knows_refuses_its_row(
    bring_in: Bring, gate: Any, owner: Member, cells: list[str], says: str
) -> None:
    mapping = {"Id": "external_id", "State": "stage", "Who": "holder"}
    told = bring_in([cells, ["y", "lost", ""]], header=["Id", "State", "Who"], mapping=mapping)
    assert (told["new"], told["refused"]) == (1, 1)
    assert says in Path(told["refused_file"]).read_text("utf-8-sig")
    with gate(owner):
        assert Lead.objects.get().external_id == "y"


def test_a_bad_date_phone_or_address_refuses_its_row(bring_in: Bring) -> None:
    header = ["Id", "Mail", "Phone", "Came"]
    mapping = {"Id": "external_id", "Mail": "email", "Phone": "phone", "Came": "received_at"}
    rows = [
        ["a", "not an address", "", ""],
        ["b", "", "12", ""],
        ["c", "", "", "soon"],
        ["d", "", "", "31.12.2024"],
        ["e", "", "", "2999-01-01"],
        ["f", "f@oak.example", "020 7946 0000", "2024-12-31"],
    ]
    told = bring_in(rows, header=header, mapping=mapping)
    assert (told["new"], told["refused"]) == (1, 5)


def test_nobody_is_handed_over_and_all_are_scored(
    bring_in: Bring, gate: Any, owner: Member, rep: Member, work: Any
) -> None:
    bring_in(rows_of(60))
    work()
    with gate(owner) as at:
        assert LeadScore.objects.in_force().count() == 60
        assert not Handoff.objects.exists()
        assert not Lead.objects.filter(stage=Stage.READY).exists()
        assert not Effect.objects.exclude(state="done").filter(due_at__lte=at).exists()


def test_the_scoring_of_an_import_waits_behind_what_is_live(bring_in: Bring, gate: Any, owner: Member) -> None:
    bring_in(rows_of(60))
    with gate(owner):
        scoring = Effect.objects.filter(handler="score")
        assert {one.lane for one in scoring} == {Lane.BULK}
        # One event of a batch carries it, not one per row.
        assert 0 < scoring.count() <= 60 / 10


def _over_the_line(gate: Any, member: Member) -> None:
    """Let the grid call everybody ready, whatever they did."""
    with gate(member):
        from funnel.scoring.models import RuleVersion

        version = RuleVersion.objects.get()
        version.rules = {**version.rules, "ready": {band: [1, 2, 3, 4] for band in "ABCD"}}
        version.save(update_fields=["rules"])


def test_who_is_ready_waits_for_a_go(bring_in: Bring, gate: Any, owner: Member, rep: Member, work: Any) -> None:
    _over_the_line(gate, owner)
    bring_in(rows_of(10))
    work()
    with gate(owner):
        assert not Handoff.objects.exists()
        assert Lead.objects.filter(stage=Stage.NURTURING, waits_since__isnull=False).count() == 8


def test_hand_over_hands_over_who_is_ready(bring_in: Bring, gate: Any, owner: Member, rep: Member, work: Any) -> None:
    _over_the_line(gate, owner)
    bring_in(rows_of(10), "--hand-over")
    work()
    with gate(owner):
        assert Handoff.objects.filter(offered_to=rep, outcome="").count() == 8
        # A customer is nobody's new lead.
        assert Lead.objects.filter(stage=Stage.CUSTOMER).count() == 2


def test_hand_over_hands_over_nobody_who_is_not_ready(
    bring_in: Bring, gate: Any, owner: Member, rep: Member, work: Any
) -> None:
    bring_in(rows_of(10), "--hand-over")
    work()
    with gate(owner):
        assert not Handoff.objects.exists()


@pytest.mark.parametrize("words", [(), ("--hand-over",)])
def test_whom_a_list_calls_lost_or_no_fit_stays_so(
    bring_in: Bring, gate: Any, owner: Member, rep: Member, work: Any, words: tuple[str, ...]
) -> None:
    _over_the_line(gate, owner)
    header, mapping = ["Mail", "State"], {"Mail": "email", "State": "stage"}
    rows = [["a@oak.example", "lost"], ["b@elm.example", "disqualified"], ["c@fir.example", "nurturing"]]
    bring_in(rows, *words, header=header, mapping=mapping)
    work()
    with gate(owner):
        found = {one.email[:1]: one.stage for one in Lead.objects.all()}
        assert (found["a"], found["b"]) == (Stage.LOST, Stage.DISQUALIFIED)
        assert found["c"] == (Stage.READY if words else Stage.NURTURING)
        assert [one.email[:1] for one in Lead.objects.filter(waits_since__isnull=False)] == ([] if words else ["c"])
        assert Handoff.objects.count() == len(words)
        assert not Event.objects.filter(kind="came_back").exists()
        assert LeadScore.objects.in_force().count() == 3
    # Another list that knows nothing of it brings a lost one back: a new touch.
    bring_in([["a@oak.example", "Ann"]], header=["Mail", "Name"], mapping={"Mail": "email", "Name": "name"})
    work()
    with gate(owner):
        assert Lead.objects.get(email="a@oak.example").waits_since is not None


def test_another_business_sees_nothing_of_it(bring_in: Bring, gate: Any, outsider: Member) -> None:
    bring_in(rows_of(5))
    with gate(outsider):
        assert not Lead.objects.exists()
        assert not FieldDefinition.objects.exists()


def test_it_ends_midway_and_runs_again(
    bring_in: Bring, gate: Any, owner: Member, work: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from funnel.transfer import importing

    class PulledOut(BaseException):
        """What the end of a process is to the code that runs: nothing catches it."""

    monkeypatch.setattr(importing, "CHUNK_SQLITE", 20)
    monkeypatch.setattr(importing, "CHUNK", 20)
    chunks = 0
    place = importing.Run._place

    def ends(self: Any, *args: Any) -> Any:
        nonlocal chunks
        placed = place(self, *args)
        chunks += 1
        if chunks == 3:
            raise PulledOut
        return placed

    with monkeypatch.context() as broken:
        broken.setattr(importing.Run, "_place", ends)
        with pytest.raises(PulledOut):
            bring_in(rows_of(100))
    with gate(owner):
        assert Lead.objects.count() == 40
    told = bring_in(rows_of(100))
    assert (told["rows"], told["new"], told["same"], told["refused"]) == (100, 60, 40, 0)
    work()
    with gate(owner):
        assert Lead.objects.count() == LeadKey.objects.count() == LeadScore.objects.in_force().count() == 100
        assert Event.objects.filter(kind="received").count() == 100
        assert Lead.objects.filter(stage=Stage.CUSTOMER).count() == 20
