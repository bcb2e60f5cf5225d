"""The lead's page through the door: everything known of one person, explained."""

import re
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from funnel.handoff import actions as handoff
from funnel.handoff.models import GiveBackReason
from funnel.leads.actions import touch
from funnel.leads.identity import Capture
from funnel.leads.models import Lead
from funnel.leads.receiving import receive
from funnel.overview.lead_scores import opened
from funnel.scoring import changing
from funnel.scoring.models import LeadScore
from funnel.scoring.rules import default_rules
from funnel.templatetags.words import day, short_day
from tests.funnel.overview.people import at_page, read


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


def test_the_hue_follows_the_side(lead, rep, browse, gate):
    browse(rep).post(at_page(lead) + "take/")
    assert 'data-wing="sales"' in read(browse(rep), lead)
    with gate(rep) as at:
        handoff.give_back(Lead.objects.get(), reason=GiveBackReason.objects.get(key="not-ready"), by=rep, at=at)
    page = read(browse(rep), lead)
    assert 'data-wing="marketing"' in page
    assert "Given back" in page
    assert "Only looking around" in page


def test_what_is_next_for_a_lead_with_a_rep_is_not_said_to_be_up_to_marketing(rep, marketer, gate, browse, work):
    with gate(rep) as at:
        (got,) = receive(rep.workspace, [Capture(name="Ann", phone="01632 960142", asks=True)], at=at)
    work()
    browse(rep).post(at_page(got.lead) + "take/")
    page = read(browse(marketer), got.lead)
    assert "<bdi>Rita</bdi> goes on with them, or gives them back with a reason." in page
    assert "With marketing, until" not in page


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


def test_a_row_that_gave_less_says_that_the_days_most_was_reached(lead, rep, browse, gate, work):
    with gate(rep) as at:
        noon = rep.workspace.local(at - timedelta(days=3)).replace(hour=12)
        for minutes in range(7):
            touch(lead, "page_view", at=at, occurred_at=noon + timedelta(minutes=minutes))
    work()
    page = read(browse(rep), lead)
    assert page.count("Most a day reached: 5 points") == page.count('class="num then">0<') == 2


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


FORTY_EIGHT = ("meeting", "visit", "promo_event", "email_click", "email_click")


@pytest.mark.parametrize(("acts", "days"), [(FORTY_EIGHT, 14), (("meeting",), None)])
def test_it_says_on_which_day_it_cools_below_the_line(acts, days, rep, browse, gate, work):
    """20 + 10 + 10 + 4 + 4 are 48 points, and halve to the line of 24 in one half-life; 20 are below it already."""
    with gate(rep) as at:
        (got,) = receive(rep.workspace, [Capture(name="Ann Bell", phone="01632 960142", company="Bell")], at=at)
        for kind in acts:
            touch(got.lead, kind, at=at)
    work()
    page = read(browse(rep), got.lead)
    assert "The line for “ready” is 24." in page
    seen = re.findall(r"it cools below it on ([^<]+)\.</p>", page)
    with gate(rep):
        # The score is shown rounded down, and a tenth of a point is what goes in an hour.
        local = rep.workspace.local(at)
        on = [day((local + timedelta(days=days, minutes=less)).date()) for less in (0, -65)] if days else []
    assert (len(seen), set(seen) <= set(on)) == (1 if days else 0, True)


@pytest.mark.parametrize(
    ("bands", "says"),
    [
        ([1, 2, 3, 4], "With fit B it is ready whatever the engagement."),
        ([], "With fit B no engagement makes it ready."),
    ],
)
def test_without_a_line_it_says_why_there_is_none_and_no_day(owner, rep, browse, gate, work, bands, says):
    with gate(owner) as at:
        (got,) = receive(rep.workspace, [Capture(name="Ann Bell", phone="01632 960142", company="Bell")], at=at)
        touch(got.lead, "meeting", at=at)
        changing.save_draft({**default_rules(), "ready": dict.fromkeys("ABCD", bands)}, by=owner, at=at)
        changing.publish(again=False, why="", by=owner, at=at)
    work()
    page = read(browse(rep), got.lead)
    assert says in page
    assert "The line for" not in page
    assert "cools below it" not in page


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


def test_the_table_names_the_highest_moment_between_two_weeks(lead, rep, browse, gate, work):
    with gate(rep) as at:
        peak = at - timedelta(days=17)
        for _ in range(3):
            touch(Lead.objects.get(), "meeting", at=at, occurred_at=peak)
    work()
    with gate(rep) as at:
        plot = opened(Lead.objects.get(), at)["plot"]
        assert [moment for moment, _ in plot.rows] == sorted(moment for moment, _ in plot.rows)
        assert plot.peak == peak
        assert dict(plot.rows)[peak] == max(amount for _, amount in plot.rows)
        says = f"{short_day(rep.workspace.local(peak).date())}, the highest</th>"
    assert says in read(browse(rep), lead)
    with gate(rep) as at:
        for _ in range(9):
            touch(Lead.objects.get(), "visit", at=at)
    work()
    assert "the highest" not in read(browse(rep), lead), "now is the highest, and has a row"


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
        assert plot.ready == f"M0 {100 - 100 * seen['line'] / plot.amounts[0]:.2f}H1000", "the line, to the same scale"
    assert "if nothing happens" in browse(rep).get(f"/leads/{lead.pk}/").content.decode()


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
