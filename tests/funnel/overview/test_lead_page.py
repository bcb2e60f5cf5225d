"""The lead's page through the door: everything known of one person, explained."""

import re
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from funnel.handoff import actions as handoff
from funnel.handoff.models import GiveBackReason, Handoff
from funnel.leads.actions import touch
from funnel.leads.identity import Capture
from funnel.leads.models import FieldDefinition, Lead
from funnel.leads.receiving import receive
from funnel.outbox.models import Event
from funnel.overview.lead_scores import opened
from funnel.scoring.models import LeadScore


@pytest.fixture
def lead(gate, rep, work):
    """Somebody who sent the contact form and now waits for the rep."""
    with gate(rep) as at:
        (got,) = receive(
            rep.workspace,
            [
                Capture(
                    kind="form", name="Ann Bell", email="ann@bell.example", phone="01632 960142", company="Bell Ltd",
                    asks=True, channel="radio", campaign="Spring",
                    data={"form": "Contact us", "promise": "A free roof check", "message": "South roof"},
                    consents={"email": "You may write to me."},
                )
            ],
            at=at,
        )  # fmt: skip
    work()
    return got.lead


def at_page(lead):
    return f"/leads/{lead.pk}/"


def read(client, lead, query=""):
    answer = client.get(at_page(lead) + query)
    assert answer.status_code == 200
    return answer.content.decode()


def test_everybody_reads_the_way_the_reason_and_the_promise(lead, viewer, browse):
    page = read(browse(viewer), lead)
    assert "Waits for <bdi>Rita Rep</bdi>" in page
    assert "Asked for contact with “Contact us”" in page
    assert "“<bdi>A free roof check</bdi>”" in page
    assert "South roof" in page
    assert "Why <bdi>Rita</bdi>" in page
    assert "It is Rita Rep’s turn: 0 of 10 this week." in page
    assert "Radio · Spring" in page
    assert "You may write to me." in page
    assert "01632 960142" in page
    assert 'data-wing="hall"' in page


def test_a_viewer_is_offered_nothing_to_change(lead, viewer, browse):
    page = read(browse(viewer), lead)
    for verb in ("take/", "give-back/", "edit/", "pass/", "not-a-fit/", "void"):
        assert f"{at_page(lead)}{verb}" not in page
    client = browse(viewer)
    for verb in ("take/", "give-back/", "note/", "not-a-fit/", "pass/", "edit/"):
        assert client.post(at_page(lead) + verb, {"note": "x", "reason": "x"}).status_code == 403


@pytest.fixture
def aside(lead, rep, gate):
    """Set aside by the rep, who had taken it."""
    with gate(rep) as at:
        handoff.accept(lead, by=rep, at=at)
        handoff.disqualify(lead, by=rep, at=at)
    return lead


def test_who_was_set_aside_comes_back_to_marketing_and_waits_for_a_go(aside, marketer, browse, gate, work):
    client = browse(marketer)
    assert "#bring-back" in read(client, aside)
    answer = client.post(f"{at_page(aside)}bring-back/", {"to": ""}, follow=True).content.decode()
    assert "Ann Bell is back, with marketing." in answer
    assert "<bdi>Mara</bdi> brought the lead back to marketing" in answer
    assert "#bring-back" not in answer
    work()
    with gate(marketer) as at:
        assert Lead.objects.get().stage == "nurturing"
        for _ in range(3):
            touch(Lead.objects.get(), "form", at=at, occurred_at=at - timedelta(days=2))
    work()
    with gate(marketer) as at:
        handoff.disqualify(Lead.objects.get(), by=marketer, at=at)
        handoff.bring_back(Lead.objects.get(), by=marketer, at=at)
    work()
    with gate(marketer):
        back = Lead.objects.get()
        assert back.waits_since, "over the line, they are judged again, and nobody's desk fills up by itself"
        assert not Handoff.objects.open().exists()


def test_who_set_a_lead_aside_can_have_it_back_at_once(aside, rep, browse, gate):
    answer = browse(rep).post(f"{at_page(aside)}bring-back/", {"to": rep.pk}, follow=True).content.decode()
    assert "Ann Bell is back, with you." in answer
    with gate(rep):
        assert (Lead.objects.get().stage, Lead.objects.get().holder) == ("working", rep)
    answer = browse(rep).post(f"{at_page(aside)}bring-back/", {"to": rep.pk})
    assert answer.status_code == 409


def test_another_rep_a_viewer_and_a_stranger_bring_nobody_back(aside, rep, other_rep, marketer, viewer, browse, gate):
    address = f"{at_page(aside)}bring-back/"
    assert "#bring-back" not in read(browse(other_rep), aside)
    assert browse(other_rep).post(address, {"to": ""}).status_code == 403
    assert browse(viewer).post(address, {"to": ""}).status_code == 403
    assert browse(marketer).post(address, {"to": rep.pk}).status_code == 422, "marketing chooses no rep"
    with gate(rep):
        assert Lead.objects.get().stage == "disqualified"


def test_the_hue_follows_the_side(lead, rep, browse, gate):
    browse(rep).post(at_page(lead) + "take/")
    assert 'data-wing="sales"' in read(browse(rep), lead)
    with gate(rep) as at:
        handoff.give_back(Lead.objects.get(), reason=GiveBackReason.objects.get(key="not-ready"), by=rep, at=at)
    page = read(browse(rep), lead)
    assert 'data-wing="marketing"' in page
    assert "Given back" in page
    assert "Only looking around" in page


def test_both_scores_add_up_to_the_numbers_shown(lead, rep, browse, gate, work):
    with gate(rep) as at:
        for days in range(1, 30):
            touch(
                Lead.objects.get(),
                "page_view",
                at=at,
                occurred_at=at - timedelta(days=days, hours=days % 7),
                data={"title": "Prices"},
            )
    work()
    page = read(browse(rep), lead)
    ledger = page[page.index("Engagement rows") :]
    ledger = ledger[: ledger.index("</table>")]
    body, foot = ledger.split("<tfoot>")
    now = [Decimal(found.replace("−", "-")) for found in re.findall(r'class="num(?: minus)?">([−\d.]+)</td>', body)]
    total = Decimal(re.findall(r'class="num">([−\d.]+)</td>', foot)[-1])
    assert len(now) == 30
    assert sum(now) == total
    assert f'<span class="figure">{total}</span>' in page
    with gate(rep) as at:
        score = LeadScore.objects.in_force().select_related("basis__version").get()
        assert -0.01 < score.basis.now(score.total, at) - float(total) < 0.1
        seen = opened(Lead.objects.get(), at)
        assert sum(points for _, _, points in seen["fit_rows"]) == seen["fit"] == score.fit


def test_a_number_that_is_shown_never_contradicts_its_band(rep, browse, gate, work):
    """A meeting and a click came to 24, where band 3 begins; half an hour later they are a hair under it."""
    with gate(rep) as at:
        (got,) = receive(rep.workspace, [Capture(name="Ann Bell", phone="01632 960142", company="Bell")], at=at)
        for kind in ("meeting", "email_click"):
            touch(got.lead, kind, at=at, occurred_at=at - timedelta(minutes=30))
    work()
    page = read(browse(rep), got.lead)
    assert '<span class="figure">23.9</span><p>Band 2 of 4. The line for “ready” is 24.' in page
    assert "behind 23.9</summary>" in page
    assert 'Now</th><td class="num">23.9</td>' in page
    assert 'aria-label="Fit B, engagement 2 of 4"' in page


def test_more_rows_than_a_page_holds_still_add_up(lead, rep, gate, work, monkeypatch):
    monkeypatch.setattr("funnel.overview.lead_scores.ROWS", 5)
    with gate(rep) as at:
        for days in range(1, 12):
            touch(Lead.objects.get(), "page_view", at=at, occurred_at=at - timedelta(days=days))
    work()
    with gate(rep) as at:
        seen = opened(Lead.objects.get(), at)
        score = LeadScore.objects.in_force().select_related("basis").get()
        assert len(seen["engagement_rows"]) == 6
        assert seen["engagement_rows"][-1].says == "Everything before"
        assert 0 <= score.basis.now(score.total, at) - float(seen["engagement"]) < 0.1
        assert seen["engagement_then"] == 10 + 11


def test_the_drawing_and_its_table_end_at_what_it_is_now_and_cool_towards_nothing(lead, rep, browse, gate, work):
    with gate(rep) as at:
        for days in (30, 20, 3):
            touch(Lead.objects.get(), "call", at=at, occurred_at=at - timedelta(days=days))
    work()
    with gate(rep) as at:
        seen = opened(Lead.objects.get(), at)
        plot = seen["plot"]
        assert plot.rows[-1][1] == seen["engagement"]
        by_day = dict(plot.rows)
        assert len(by_day) == 7
        oldest = min(by_day)
        assert by_day[oldest] == 0, "six weeks ago nothing had happened"
        assert plot.amounts[0] >= float(seen["engagement"])
        heights = [float(point.split()[1]) for point in plot.ahead[1:].split("L")]
        assert heights == sorted(heights), "lower from day to day"
    assert "if nothing happens" in browse(rep).get(f"/leads/{lead.pk}/").content.decode()


def test_an_entry_taken_back_stays_and_its_correction_is_a_row(lead, rep, marketer, browse, gate, work):
    with gate(rep):
        form = Event.objects.get(kind="form")
    client = browse(marketer)
    assert 'id="void" aria-labelledby="void-title" open' in read(client, lead, f"?void={form.pk}")
    answer = client.post(f"{at_page(lead)}events/{form.pk}/void/", {"reason": ""})
    assert (answer.status_code, "Taken back by" in answer.content.decode()) == (422, False)
    assert client.post(f"{at_page(lead)}events/{form.pk}/void/", {"reason": "A test of ours"}).status_code == 302
    work()
    page = read(client, lead)
    assert "Taken back by <bdi>Mara Marketer</bdi>" in page
    assert "A test of ours" in page
    assert "Corrected: Sent “Contact us”" in page
    assert '<span class="figure">0</span>' in page
    again = client.post(f"{at_page(lead)}events/{form.pk}/void/", {"reason": "Once more"})
    assert (again.status_code, "taken back already" in again.content.decode()) == (409, True)


def test_a_rep_cannot_take_an_entry_back(lead, rep, browse, gate):
    with gate(rep):
        form = Event.objects.get(kind="form")
    assert browse(rep).post(f"{at_page(lead)}events/{form.pk}/void/", {"reason": "x"}).status_code == 403


def test_the_lead_is_taken_and_given_back_here_too(lead, rep, browse, gate):
    client = browse(rep)
    page = client.post(at_page(lead) + "take/", follow=True).content.decode()
    assert "Taken. Ann Bell is with you." in page
    assert "Log the call" in page
    assert client.post(at_page(lead) + "give-back/", {"reason": "nonsense"}).status_code == 422
    page = client.post(at_page(lead) + "give-back/", {"reason": "not-a-fit"}, follow=True).content.decode()
    assert "Ann Bell is given back." in page
    assert "Not a fit" in page
    second = client.post(at_page(lead) + "give-back/", {"reason": "not-a-fit"})
    assert (second.status_code, "nothing to give back" in second.content.decode()) == (409, True)


def test_a_note_stands_on_the_timeline_for_whoever_may_change_the_lead(lead, rep, other_rep, browse, gate):
    browse(rep).post(at_page(lead) + "note/", {"note": "<b>Ask for the key</b>"})
    assert "“<bdi>&lt;b&gt;Ask for the key&lt;/b&gt;</bdi>”" in read(browse(rep), lead, "?show=notes")
    assert browse(other_rep).post(at_page(lead) + "note/", {"note": "Mine"}).status_code == 403
    assert browse(rep).post(at_page(lead) + "note/", {"note": " "}).status_code == 422
    with gate(rep):
        assert Event.objects.filter(kind="note").count() == 1


def test_a_lead_is_edited_and_the_timeline_says_what_was(lead, rep, browse, gate):
    with gate(rep):
        FieldDefinition.objects.create(workspace=rep.workspace, name="roof", label="Roof", kind="number")
        key = f"own-{FieldDefinition.objects.get().pk}"
    client = browse(rep)
    assert "Roof" in client.get(at_page(lead) + "edit/").content.decode()
    wrong = client.post(at_page(lead) + "edit/", {"name": "Ann", "phone": "12", key: "big"})
    page = wrong.content.decode()
    assert wrong.status_code == 422
    assert "This number has too few digits." in page
    assert "Write a number, like 25 or 3.5." in page
    with gate(rep):
        assert Lead.objects.get().name == "Ann Bell"
    sent = {"name": "Anne Bell", "email": "", "phone": "01632 960999", "company": "Bell Ltd", key: "42"}
    client.post(at_page(lead) + "edit/", sent)
    page = read(client, lead)
    assert "Anne Bell" in page
    assert "01632 960999" in page
    assert "<dt><bdi>Roof</bdi></dt><dd><bdi>42</bdi>" in page
    assert "Name was “<bdi>Ann Bell</bdi>”" in page
    with gate(rep):
        assert Lead.objects.get().email == "ann@bell.example"


def test_the_key_of_another_lead_is_refused_with_a_link_to_it(lead, rep, browse, gate):
    with gate(rep) as at:
        (other,) = receive(rep.workspace, [Capture(name="Ben", email="ben@cole.example")], at=at)
    answer = browse(rep).post(at_page(lead) + "edit/", {"name": "Ann Bell", "email": "ben@cole.example"})
    page = answer.content.decode()
    assert answer.status_code == 409
    assert "Another lead has this e-mail address already." in page
    assert at_page(other.lead) in page
    with gate(rep):
        assert Lead.objects.get(pk=lead.pk).email == "ann@bell.example"


def test_what_a_form_said_else_and_who_may_be_the_same_is_shown(lead, rep, browse, gate):
    with gate(rep) as at:
        receive(
            rep.workspace,
            [Capture(kind="form", name="Anna Bell-Roy", email="ann@bell.example", data={"form": "F"})],
            at=at,
        )
        receive(rep.workspace, [Capture(name="Ben", email="ben@cole.example", external_id="7")], at=at)
        receive(
            rep.workspace, [Capture(kind="form", email="ann@bell.example", external_id="7", data={"form": "F"})], at=at
        )
    page = read(browse(rep), lead)
    assert "Also said on a form" in page
    assert "<bdi>Anna Bell-Roy</bdi>" in page
    assert "Perhaps the same person as" in page
    assert "<bdi>Ben</bdi>" in page


def test_a_leader_passes_the_waiting_handoff_and_the_taken_lead_on(lead, rep, other_rep, owner, browse, gate):
    client = browse(owner)
    assert client.post(at_page(lead) + "pass/", {"to": other_rep.pk}).status_code == 302
    with gate(rep):
        assert Handoff.objects.open().get().offered_to == other_rep
    assert browse(rep).get(at_page(lead) + "pass/").status_code == 403
    browse(other_rep).post(at_page(lead) + "take/")
    assert browse(other_rep).post(at_page(lead) + "pass/", {"to": rep.pk}).status_code == 302
    assert "passed the lead from" in read(client, lead)
    with gate(rep):
        assert Lead.objects.get().holder == rep
    assert client.post(at_page(lead) + "pass/", {"to": "nobody"}).status_code == 422


def test_a_lead_is_set_aside_with_a_reason(lead, rep, marketer, browse, gate):
    assert browse(marketer).post(at_page(lead) + "not-a-fit/", {}).status_code == 422
    browse(marketer).post(at_page(lead) + "not-a-fit/", {"reason": "A competitor"})
    page = read(browse(rep), lead)
    assert "Not a fit" in page
    assert "A competitor" in page
    with gate(rep):
        assert not Handoff.objects.open().exists()


def test_the_timeline_is_filtered_and_paged_by_key(lead, rep, browse, gate):
    with gate(rep) as at:
        for days in range(80):
            touch(
                Lead.objects.get(),
                "page_view",
                at=at,
                occurred_at=at - timedelta(days=days),
                data={"title": f"Page {days}"},
            )
    client = browse(rep)
    pages = read(client, lead, "?show=pages")
    assert "Opened “Page 0”" in pages
    assert "Handed over to" not in pages[pages.index('class="tl"') :]
    seen = re.findall(r"Opened “Page (\d+)”", pages[pages.index('id="timeline"') :])
    link = re.search(r'href="(\?show=pages&amp;after=[^"]+)#timeline"', pages)[1].replace("&amp;", "&")
    rest = read(client, lead, link)
    seen += re.findall(r"Opened “Page (\d+)”", rest[rest.index('id="timeline"') :])
    assert [int(one) for one in seen] == list(range(80))
    assert client.get(at_page(lead) + "?after=changed").status_code == 400


def test_the_page_asks_the_same_number_of_questions_however_much_there_is(lead, rep, browse, gate, work):
    def questions():
        client = browse(rep)
        client.get(at_page(lead))
        with CaptureQueriesContext(connection) as seen:
            read(client, lead)
        return len(seen)

    browse(rep).post(at_page(lead) + "take/")
    few = questions()
    with gate(rep) as at:
        for days in range(1, 10):
            touch(
                Lead.objects.get(pk=lead.pk),
                "form",
                at=at,
                by=rep,
                occurred_at=at - timedelta(days=days),
                source=("radio", f"C{days}", ""),
                data={"form": "F"},
            )
            receive(rep.workspace, [Capture(name=f"Col{days}", email=f"col{days}@bell.example")], at=at)
            receive(
                rep.workspace,
                [
                    Capture(
                        kind="form",
                        name=f"Other{days}",
                        email="ann@bell.example",
                        consents={"phone": "Call me"},
                        data={"form": "F"},
                    )
                ],
                at=at,
            )
    work()
    assert questions() == few
    assert few <= 15


def test_another_business_sees_nothing(lead, outsider, browse):
    client = browse(outsider)
    assert client.get(at_page(lead)).status_code == 404
    for verb in ("take/", "give-back/", "note/", "not-a-fit/", "pass/", "edit/", "events/1/void/"):
        assert client.post(at_page(lead) + verb, {"note": "x", "reason": "x"}).status_code == 404


def test_names_that_mean_harm_stay_names(rep, gate, browse, work):
    said = {"form": "<i>F</i>", "message": "<svg/onload=1>", "promise": "<u>all</u>"}
    harm = Capture(
        kind="form",
        name="<script>alert(1)</script>\u202e",
        email="x@y.example",
        company="<img src=x>",
        asks=True,
        data=said,
    )
    with gate(rep) as at:
        (got,) = receive(rep.workspace, [harm], at=at)
    work()
    for path in (at_page(got.lead), f"/sales/?lead={got.lead.pk}", at_page(got.lead) + "edit/"):
        page = browse(rep).get(path).content.decode()
        for harm in ("<script>alert", "<img src=x", "<i>F", "<svg/onload", "<u>all"):
            assert harm not in page


def test_a_lead_not_scored_yet_has_a_page(rep, gate, browse):
    with gate(rep) as at:
        (got,) = receive(
            rep.workspace, [Capture(name="Ann", email="ann@bell.example", occurred_at=timezone.now())], at=at
        )
    assert "Not scored yet" in read(browse(rep), got.lead)
