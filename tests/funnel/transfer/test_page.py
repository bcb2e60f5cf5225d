"""The page on which a list is brought in: upload, columns, what would happen, bringing in."""

from __future__ import annotations

import csv
import io
import re
from typing import Any

import pytest
from django.urls import reverse

from funnel.leads.models import FieldDefinition, Lead
from funnel.leads.stages import Stage
from funnel.outbox.models import Effect, Event
from funnel.transfer.models import Import, RefusedRow, State
from funnel.workspaces.models import Member

from .conftest import HEADER, rows_of, text_of

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("rep")]
PEOPLE = ["Customer no.", "First name", "Surname", "E-mail", "Status", "Looked after by", "First contact", "kWh"]


def people(*rows: list[str]) -> str:
    return text_of(PEOPLE, [*rows])


ALAN = ["10482", "Alan", "Corbett", "alan@corbett.example", "Customer", "Rita", "14/03/2019", "31000"]
ANN = ["10483", "Ann", "Bufton", "ann@bufton.example", "Enquiry", "", "02/06/2024", "00123"]


def test_a_list_goes_from_upload_to_leads(desk: Any, gate: Any, owner: Member, rep: Member) -> None:
    one = desk()
    one.upload(people(ALAN, ANN))
    guesses = {
        line.name: line.target for line in one.client.get(reverse("import", args=[one.pk])).context["form"].lines
    }
    assert guesses == {
        "Customer no.": "external_id", "First name": "first_name", "Surname": "last_name", "E-mail": "email",
        "Status": "stage", "Looked after by": "customer_holder", "First contact": "received_at", "kWh": "",
    }  # fmt: skip
    assert one.choose(to_7="new").status_code == 302
    assert one.one.state == State.LOOKED
    assert {name: one.one.counts[name] for name in ("rows", "new", "refused")} == {"rows": 2, "new": 2, "refused": 0}
    with gate(owner):
        assert not Lead.objects.exists()
        assert not FieldDefinition.objects.exists()
    assert "Bring in 2 rows" in one.page
    one.bring_in()
    assert "2 new people" in one.page
    with gate(owner):
        alan = Lead.objects.select_related("holder__user").get(external_id="10482")
        assert (alan.name, alan.stage, alan.holder.name) == ("Alan Corbett", Stage.CUSTOMER, "Rita Rep")
        assert f"{alan.customer_since:%Y-%m-%d}" == "2019-03-14"
        ann = Lead.objects.get(external_id="10483")
        assert (ann.stage, ann.holder, ann.fields) == (Stage.NURTURING, None, {"kwh": "00123"})
        assert [(made.name, made.label, made.kind) for made in FieldDefinition.objects.all()] == [
            ("kwh", "kWh", "text")
        ]


def test_the_same_file_again_changes_nothing_and_is_told_so(desk: Any, gate: Any, owner: Member) -> None:
    for _ in range(2):
        one = desk()
        one.upload(people(ALAN, ANN))
        one.choose()
        if one.one.counts["new"]:
            one.bring_in()
    assert one.one.counts["same"] == 2
    assert "nothing to bring in" in one.page
    assert "This file was brought in before" in one.page
    with gate(owner):
        before = (Lead.objects.count(), Event.objects.filter(kind="received").count())
    one.bring_in()
    with gate(owner):
        assert before == (Lead.objects.count(), Event.objects.filter(kind="received").count()) == (2, 2)


def test_the_columns_of_a_list_are_remembered_for_the_next(desk: Any) -> None:
    first = desk()
    first.upload(people(ALAN, ANN))
    first.choose(to_7="new", blank="Select", v_4_1="lost")
    assert "<dt><bdi>kWh</bdi></dt><dd><bdi>Field “kWh”</bdi></dd>" in first.page
    second = desk()
    second.upload(people(["9", "Bea", "Cole", "bea@cole.example", "Enquiry", "", "14/03/2019", ""]))
    form = second.client.get(reverse("import", args=[second.pk])).context["form"]
    assert form.kept_from == "list.csv"
    assert [line.target for line in form.lines][-1] == "fields.kwh"
    assert {one.text: one.means for line in form.lines for one in line.values} == {"Enquiry": "lost"}
    assert form.blank == "Select"


def test_what_was_kept_as_fields_stands_there_for_whoever_comes_back(desk: Any, gate: Any, owner: Member) -> None:
    one = desk()
    one.upload(people(ALAN, ANN))
    one.post("import-columns", **one.form() | {"do": "fields", "blank": "Select", "to-2": "", "v-4-1": "lost"})
    form = one.client.get(reverse("import", args=[one.pk])).context["form"]
    targets = {line.name: line.target for line in form.lines}
    assert (targets["kWh"], targets["Surname"]) == ("fields.kwh", "fields.surname")
    assert form.blank == "Select"
    assert one.form()["v-4-1"] == "lost"
    assert one.one.state == State.COLUMNS
    with gate(owner):
        assert not FieldDefinition.objects.exists()
    # What no list can mean is not kept.
    one.post("import-columns", **one.form() | {"do": "fields", "to-7": "nowhere"})
    assert one.one.mapping["kWh"] == "fields.kwh"


def test_what_would_happen_is_told_with_reasons_and_examples(desk: Any, gate: Any, owner: Member) -> None:
    one = desk()
    one.upload(people(ALAN, ANN))
    one.choose()
    one.bring_in()
    changed = [*ALAN]
    changed[3] = "alan@new.example"
    wrong = ["10484", "Al", "Cor", "al@@cor.example", "Enquiry", "", "31/02/2021", ""]
    two = desk()
    two.upload(people(changed, ANN, wrong, ["10485", "X", "Y", "x@@y.example", "Enquiry", "", "14/03/2019", ""]))
    two.choose()
    assert {name: two.one.counts[name] for name in ("new", "changed", "same", "refused")} == {
        "new": 0, "changed": 1, "same": 1, "refused": 2,
    }  # fmt: skip
    with gate(owner):
        assert Lead.objects.get(external_id="10482").email == "alan@corbett.example"
    page = two.page
    assert "4 rows would make 0 new people and change 1 who is known." in page
    assert "e-mail alan@corbett.example → alan@new.example" in page
    assert "“<bdi>31/02/2021</bdi>”: “31/02/2021”: this day does not exist." in page
    assert "row 4" in page
    # Each fault of a row is told, and counted by itself.
    assert {(why["column"], why["count"]) for why in two.one.preview["reasons"]} == {
        ("E-mail", 2), ("First contact", 1),
    }  # fmt: skip
    two.bring_in()
    refused = b"".join(two.client.get(reverse("import-refused", args=[two.pk])).streaming_content).decode()
    assert "E-mail: This is not an e-mail address." in refused
    assert "First contact: “31/02/2021”: this day does not exist." in refused


def test_a_value_without_a_meaning_is_asked_for_and_gets_one_by_hand(desk: Any, gate: Any, owner: Member) -> None:
    one = desk()
    one.upload(people([*ALAN[:4], "Paused", *ALAN[5:]], ANN))
    assert "1 to choose" in one.page
    refused = one.choose()
    assert refused.status_code == 422
    says = "Choose what “Paused” in “Status” means, or “Says nothing”."
    assert f'<p class="invalid-feedback" id="v-4-0-wrong">{says}</p>' in refused.content.decode()
    assert one.one.state == State.COLUMNS
    one.choose(v_4_0="lost")
    one.bring_in()
    with gate(owner):
        assert Lead.objects.get(external_id="10482").stage == Stage.LOST


def test_dates_that_could_be_either_must_be_said(desk: Any, gate: Any, owner: Member) -> None:
    one = desk()
    one.upload(text_of(["E-mail", "First contact"], [["a@oak.example", "03/04/05"], ["b@oak.example", "01/02/05"]]))
    answer = one.choose()
    assert answer.status_code == 422
    assert "Day first? 2" in re.sub(r"\s", " ", answer.content.decode())
    assert one.one.state == State.COLUMNS
    assert one.choose(d_1="dmy").status_code == 302
    one.bring_in()
    with gate(owner):
        came = Lead.objects.get(email="a@oak.example").received_at
        assert f"{came.astimezone(owner.workspace.zone):%Y-%m-%d}" == "2005-04-03"


def test_refused_rows_come_back_in_their_own_columns_and_run_nothing(desk: Any, gate: Any, owner: Member) -> None:
    one = desk()
    rows = [
        ["=cmd|' /C calc'!A0", "a@@b.example", "+44 20 7946 0000"],
        ["Ｘ", "c@d.example", "12"],
        ["＝1+1", "not one", "\t@SUM(A1)"],
        ["Fay", "fay@oak.example", "+44 20 7946 0001"],
    ]
    one.upload(text_of(["Full name", "E-mail", "Phone"], rows))
    one.choose()
    one.bring_in()
    assert one.one.counts["refused"] == 3
    answer = one.client.get(reverse("import-refused", args=[one.pk]))
    text = b"".join(answer.streaming_content).decode("utf-8-sig")
    header, *refused = list(csv.reader(io.StringIO(text)))
    assert header == ["Full name", "E-mail", "Phone", "line", "reason"]
    assert refused[0][:4] == ["'=cmd|' /C calc'!A0", "a@@b.example", "'+44 20 7946 0000", "2"]
    assert refused[1][4].startswith("Phone: ")
    assert refused[2][:3] == ["'＝1+1", "not one", "'\t@SUM(A1)"]
    # Put right and brought again, the apostrophes are gone.
    refused[0][1] = "a@b.example"
    two = desk()
    two.upload(text_of(header, [refused[0]]))
    two.choose()
    two.bring_in()
    with gate(owner):
        lead = Lead.objects.get(email="a@b.example")
        assert (lead.name, lead.phone) == ("=cmd|' /C calc'!A0", "+442079460000")


def test_each_sign_that_begins_a_formula_is_kept_as_it_is_and_defused_in_what_goes_out(
    desk: Any, gate: Any, owner: Member
) -> None:
    """Bad input 50."""
    one = desk()
    signs = ["=", "+", "-", "@", "\t=", "\r=", "＝", "＋", "－", "＠"]
    rows = [[f"{sign}1", f"p{place}@oak.example", "+44 20 7946 0000"] for place, sign in enumerate(signs)]
    one.upload(text_of(["Full name", "E-mail", "Phone"], [*rows, *([name, "none", ""] for name, _, _ in rows)]))
    one.choose()
    one.bring_in()
    with gate(owner):
        assert [lead.name for lead in Lead.objects.order_by("email")] == [f"{sign.strip()}1" for sign in signs]
    answer = one.client.get(reverse("import-refused", args=[one.pk]))
    refused = list(csv.reader(io.StringIO(b"".join(answer.streaming_content).decode("utf-8-sig"), newline="")))
    assert [cells[0] for cells in refused[1:]] == [f"'{sign}1" for sign in signs]


def test_stopping_keeps_what_is_in_and_going_on_brings_the_rest_once(
    desk: Any, gate: Any, owner: Member, monkeypatch: pytest.MonkeyPatch
) -> None:
    from funnel.transfer import handlers, importing

    monkeypatch.setattr(handlers, "CHUNK", 20)
    monkeypatch.setattr(handlers, "LEAST", 20)
    monkeypatch.setattr(handlers, "MOST", 20)
    one = desk()
    one.upload(text_of(HEADER, rows_of(100)))
    one.choose(to_4="stage", about="2024-03-01")
    slices, chunk = 0, importing.Run.chunk

    def press(self: Any, *args: Any, **how: Any) -> Any:
        nonlocal slices
        done = chunk(self, *args, **how)
        slices += 1
        if slices == 2:
            from funnel.transfer import actions

            actions.stop(Import.objects.get(pk=one.pk), by=owner, at=how["at"])
        return done

    one.post("import-begin")
    with monkeypatch.context() as pressed:
        pressed.setattr(importing.Run, "chunk", press)
        one.work()
    assert (one.one.state, one.one.done) == (State.STOPPED, 40)
    assert "Stopped at 40 of 100" in one.page
    with gate(owner):
        assert Lead.objects.count() == 40
    one.post("import-go-on")
    one.work()
    assert (one.one.state, one.one.done) == (State.DONE, 100)
    assert one.one.counts["new"] == 100
    with gate(owner):
        assert Lead.objects.count() == Event.objects.filter(kind="received").count() == 100
        assert not Effect.objects.filter(state="due", handler="bring_in").exists()


def test_a_double_click_begins_once(desk: Any, gate: Any, owner: Member) -> None:
    one = desk()
    one.upload(people(ALAN, ANN))
    one.choose()
    one.post("import-begin")
    one.post("import-begin")
    one.work()
    with gate(owner):
        assert Event.objects.filter(kind="list_begun").count() == 1
        assert Lead.objects.count() == 2


@pytest.mark.django_db(transaction=True)
def test_what_is_kept_of_a_list_is_forgotten_after_a_while(desk: Any, gate: Any, owner: Member, work: Any) -> None:
    from datetime import timedelta

    from django.utils import timezone

    one = desk()
    one.upload(people(ALAN, ["10499", "", "", "wrong", "Enquiry", "", "", ""]))
    one.choose()
    one.bring_in()
    assert one.one.source.exists()
    with gate(owner):
        assert RefusedRow.objects.count() == 1
    work(timezone.now() + timedelta(days=15))
    assert not one.one.folder.exists()
    assert "not kept any more" in one.page
    with gate(owner):
        assert not RefusedRow.objects.exists()
        assert Lead.objects.count() == 1
    assert "alan@" not in str(one.one.columns)


def test_another_business_finds_no_list(desk: Any, outsider: Member) -> None:
    one = desk()
    one.upload(people(ALAN))
    other = desk(outsider)
    other.pk = one.pk
    for name in ("import", "import-refused"):
        assert other.client.get(reverse(name, args=[one.pk])).status_code == 404
    for name in ("columns", "read", "begin", "stop", "go-on", "leave", "change", "remove"):
        assert other.post(f"import-{name}").status_code == 404
    assert "list.csv" not in other.client.get(reverse("imports")).content.decode()


def test_a_column_that_is_named_like_a_setting_of_ours_stops_no_file(desk: Any, gate: Any, owner: Member) -> None:
    one = desk()
    one.upload(text_of(["E-mail", "$blank", "$values", "$sum"], [["p@oak.example", "a", "b", "7"]]))
    assert one.choose(to_3="new").status_code == 302
    one.bring_in()
    with gate(owner):
        assert Lead.objects.get(email="p@oak.example").fields == {"sum": "7"}


def test_too_little_to_know_anybody_again_is_said(desk: Any) -> None:
    one = desk()
    one.upload(text_of(["Full name", "City"], [["Ann", "Rome"]]))
    answer = one.choose()
    assert answer.status_code == 422
    assert "Say which column holds an e-mail" in answer.content.decode()


def test_a_fair_list_says_where_everybody_came_from(desk: Any, gate: Any, owner: Member) -> None:
    one = desk()
    one.upload(text_of(["E-mail"], [["p@oak.example"]]))
    one.choose(channel="event", campaign="Spring fair", everybody="customer", about="2026-03-01")
    one.bring_in()
    with gate(owner):
        lead = Lead.objects.select_related("source").get()
        assert (lead.source.channel, lead.source.campaign, lead.stage) == ("event", "Spring fair", Stage.CUSTOMER)


def test_what_is_typed_for_the_whole_file_is_refused_whole_where_it_is_too_long(desk: Any) -> None:
    one = desk()
    one.upload(text_of(["E-mail"], [["p@oak.example"]]))
    answer = one.choose(campaign="Fair " * 30, system="x" * 61, blank="n/a, " * 50)
    page = answer.content.decode()
    assert answer.status_code == 422
    for name, says in {
        "campaign": "The campaign: write at most 120 characters; this has 149.",
        "system": "The program: write at most 60 characters; this has 61.",
        "blank": "The words that mean nothing: write at most 200 characters; this has 248.",
    }.items():
        assert f'<li><a href="#{name}">{says}</a></li>' in page
        assert f'<p class="invalid-feedback" id="{name}-wrong">{says}</p>' in page
        tag = page[page.index(f'id="{name}" name="{name}"') :].split(">")[0]
        assert f'{name}-wrong"' in tag, "the field names it"
        assert 'aria-invalid="true"' in tag
    assert ("Fair " * 30).strip() in page


def test_somebody_nobody_knows_is_asked_for_at_their_own_field(desk: Any, gate: Any, owner: Member) -> None:
    one = desk()
    one.upload(people([*ALAN[:5], "Kim", *ALAN[6:]]))
    refused = one.choose()
    assert refused.context["form"].wrong == {"v-5-0": "Choose who “Kim” in “Looked after by” is, or “Says nothing”."}
    one.choose(v_5_0="-")
    one.bring_in()
    with gate(owner):
        assert Lead.objects.get().holder is None
    # The next list has nobody in that column, which is nothing to ask about.
    two = desk()
    two.upload(people([*ANN[:5], "", *ANN[6:]]))
    assert two.choose().status_code == 302


@pytest.mark.django_db(transaction=True)
def test_an_upload_that_was_never_brought_in_can_be_removed(desk: Any, gate: Any, owner: Member, work: Any) -> None:
    one, other = desk(), desk()
    one.upload(people(ALAN))
    one.choose(to_7="new")
    other.upload(people(ANN), name="kept.csv")
    page = one.client.get(reverse("imports")).content.decode()
    assert f'action="{reverse("import-remove", args=[one.pk])}"' in page
    folder = one.one.folder
    assert folder.exists()
    answer = one.client.post(reverse("import-remove", args=[one.pk]), follow=True).content.decode()
    assert "“list.csv” is removed." in answer
    assert not folder.exists()
    work()
    with gate(owner):
        assert [kept.file_name for kept in Import.objects.all()] == ["kept.csv"]


def test_a_list_that_was_brought_in_stays(desk: Any) -> None:
    one = desk()
    one.upload(people(ALAN, ANN))
    one.choose()
    one.bring_in()
    assert "import-remove" not in one.page
    page = one.client.post(reverse("import-remove", args=[one.pk]), follow=True).content.decode()
    assert "This list was brought in by now" in page
    assert reverse("import-remove", args=[one.pk]) not in page
    assert one.one.state == State.DONE
