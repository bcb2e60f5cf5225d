"""Who is it? The same person by whatever keys they come, and two people by a shared phone."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.conf import settings
from django.db import connection

from funnel.leads.actions import touch, void
from funnel.leads.fields import one_value
from funnel.leads.identity import Capture, Refused, clean_email, clean_phone
from funnel.leads.models import Company, Consent, FieldDefinition, Lead, LeadKey, OwnId, Source, Suspect
from funnel.leads.receiving import receive
from funnel.outbox.models import Event


@pytest.fixture
def take(gate, owner):
    def taken(*captures, **how):
        with gate(owner) as at:
            return receive(owner.workspace, list(captures), at=how.pop("at", at), **how)

    return taken


@pytest.fixture
def look(gate, owner):
    def looked(what):
        with gate(owner):
            return what()

    return looked


@pytest.mark.parametrize(
    "variant", ["ann.bell@gmail.com", "ANN.BELL@GMAIL.COM", "annbell+news@gmail.com", "a.n.n.bell@googlemail.com"]
)
def test_variants_of_one_address_are_one_person_and_the_first_is_kept(take, look, variant):
    take(Capture(email="Ann.Bell@gmail.com"))
    take(Capture(email=variant))
    assert look(lambda: [lead.email for lead in Lead.objects.all()]) == ["Ann.Bell@gmail.com"]


def test_a_lookalike_domain_is_somebody_else(take, look):
    take(Capture(email="ann@paypal.example"), Capture(email="ann@pаypal.example"))
    assert look(Lead.objects.count) == 2
    assert look(lambda: Lead.objects.filter(email__contains="@xn--").count()) == 1


@pytest.mark.parametrize("wrong", ["a@localhost", "a@[127.0.0.1]", "a" * 65 + "@x.example", "a@x.example\nBcc: b@c.d"])
def test_what_is_no_address_is_refused_with_a_sentence(take, look, wrong):
    (got,) = take(Capture(email=wrong))
    assert "e-mail address" in got.refused["email"]
    assert look(Lead.objects.count) == 0


def test_a_number_that_very_many_share_names_nobody_and_locks_nobody(take, look, monkeypatch):
    monkeypatch.setattr("funnel.leads.receiving.SHARED", 3)
    crowd = [Capture(email=f"p{place}@desk.example", phone="01632 960142") for place in range(4)]
    take(*crowd[:3])
    assert not take(Capture(phone="01632 960142", name="Ann"))[0].created, "three may share one"
    take(crowd[3])
    assert take(Capture(phone="01632 960142", name="Bob"))[0].created, "four are a switchboard"
    assert not take(Capture(phone="01632 960142", email="p0@desk.example", name="Cid"))[0].created
    assert look(Lead.objects.count) == 5
    assert look(lambda: LeadKey.objects.filter(kind="phone").count()) == 5


def test_keys_are_found_by_an_index_however_many_there_are(take, gate, owner):
    take(*[Capture(email=f"p{place}@one.example", external_id=f"{place}") for place in range(20)])
    with gate(owner), connection.cursor() as cursor:
        if not settings.SQLITE:
            cursor.execute("SET LOCAL enable_seqscan = off")
        for asked in (
            LeadKey.objects.filter(value__in=["a", "b"]),
            LeadKey.objects.filter(kind="email", value="a"),
            LeadKey.objects.alias(own=OwnId("value")).filter(kind="external", own="7"),
        ):
            plan = asked.explain()
            assert "scan funnel_leadkey" not in plan.lower(), plan
            assert "seq scan" not in plan.lower(), plan
        assert LeadKey.objects.alias(own=OwnId("value")).filter(kind="external", own="7").count() == 1


def test_a_shared_phone_doesnt_join_two_people_who_say_who_they_are(take, look):
    take(Capture(email="ann@one.example", phone="01632 960142"))
    take(Capture(email="bob@two.example", phone="01632 960142"))
    take(Capture(phone="+44 1632 960142", name="Ann"))
    assert look(Lead.objects.count) == 2


def test_the_external_id_goes_before_the_address_and_the_pair_is_a_suspect(take, look):
    take(Capture(external_id="7", external_system="crm"), Capture(email="ann@one.example"))
    (got,) = take(Capture(external_id="7", external_system="crm", email="ann@one.example"))
    assert not got.created
    assert got.lead.external_id == "7"
    assert look(Suspect.objects.count) == 1
    assert look(lambda: LeadKey.objects.filter(kind="email").get().lead.external_id) == ""


def test_the_same_number_in_two_systems_is_two_people(take, look):
    take(Capture(external_id="7", external_system="crm"), Capture(external_id="7", external_system="shop"))
    assert look(Lead.objects.count) == 2


def test_a_public_door_fills_blanks_and_never_overwrites(take, look):
    take(Capture(email="ann@one.example", name="Ann Bell"))
    take(Capture(kind="form", email="ann@one.example", name="Somebody Else", phone="01632 960142"))
    lead = look(Lead.objects.get)
    assert (lead.name, lead.phone) == ("Ann Bell", "+441632960142")
    assert look(lambda: Event.objects.get(kind="form").data["differs"]) == {"name": "Somebody Else"}


def test_a_door_that_knows_better_overwrites_but_never_with_a_blank(take, look):
    take(Capture(email="ann@one.example", name="Ann", company="Bell"))
    take(Capture(email="ann@one.example", name="Ann Bell", overwrite=True))
    lead = look(Lead.objects.get)
    assert (lead.name, lead.company_name, lead.version) == ("Ann Bell", "Bell", 2)


def test_colleagues_share_a_company_and_free_mail_tells_none(take, look):
    take(Capture(email="ann@bell.example", company="Bell Ltd"), Capture(email="joe@bell.example"))
    take(Capture(email="kim@gmail.com", company="Bell Ltd"))
    assert look(lambda: Company.objects.get().name) == "Bell Ltd"
    assert look(lambda: Lead.objects.filter(company__isnull=False).count()) == 2


@pytest.mark.parametrize("domain", ["mailinator.com", "0-mailer.dynv6.net"])
def test_strangers_behind_one_service_of_throw_away_addresses_are_no_colleagues(take, look, domain):
    take(Capture(email=f"ann@{domain}", company="Bell Ltd"), Capture(email=f"joe@{domain}", company="Price Ltd"))
    assert look(Company.objects.count) == 0
    assert look(lambda: {lead.company_name for lead in Lead.objects.all()}) == {"Bell Ltd", "Price Ltd"}


def test_the_earliest_touch_says_where_somebody_came_from(take, look, gate, owner):
    with gate(owner) as at:
        pass
    take(Capture(email="a@one.example", channel="radio"))
    take(Capture(email="a@one.example", channel="Flyer", occurred_at=at - timedelta(days=3)))
    take(Capture(email="a@one.example", channel="social"))
    lead = look(lambda: Lead.objects.select_related("source").get())
    assert lead.source.channel == "Flyer"
    assert lead.received_at == at - timedelta(days=3)


def test_an_older_row_that_names_no_source_moves_the_date_and_keeps_where_somebody_came_from(take, look, gate, owner):
    with gate(owner) as at:
        pass
    take(Capture(email="a@one.example", channel="direct"))
    take(Capture(email="a@one.example", occurred_at=at - timedelta(days=9), kind="received"))
    with gate(owner) as now:
        lead = Lead.objects.get()
        touch(lead, "web_visit", at=now, occurred_at=at - timedelta(days=12), source=("Unknown", "", ""))
        late = touch(lead, "web_visit", at=now, occurred_at=at - timedelta(days=20), source=("radio", "", ""))
    lead = look(lambda: Lead.objects.select_related("source").get())
    assert (lead.source.channel, lead.received_at) == ("radio", at - timedelta(days=20))
    with gate(owner) as now:
        void(late, reason="Not them", by=owner, at=now)
    lead = look(lambda: Lead.objects.select_related("source").get())
    assert (lead.source.channel, lead.received_at) == ("direct", at - timedelta(days=12))


def test_sources_are_one_without_case(take, look):
    take(Capture(email="a@one.example", channel="Radio", campaign="Spring"))
    take(Capture(email="b@one.example", channel="RADIO", campaign="spring"))
    assert look(lambda: [(one.channel, one.campaign) for one in Source.objects.all()]) == [("Radio", "Spring")]


def test_consent_is_written_with_its_text_and_only_when_given(take, look):
    take(Capture(email="a@one.example", consents={"email": "Send me news"}), Capture(email="b@one.example"))
    assert look(lambda: list(Consent.objects.values_list("lead__email", "text"))) == [("a@one.example", "Send me news")]


def test_the_future_is_refused_and_a_clock_a_little_ahead_is_not(take, look, gate, owner):
    with gate(owner) as at:
        pass
    late, soon = take(
        Capture(email="a@one.example", occurred_at=at + timedelta(minutes=6)),
        Capture(email="b@one.example", occurred_at=at + timedelta(minutes=4)),
        at=at,
    )
    assert "future" in late.refused["occurred_at"]
    assert soon.created


def test_somebody_without_a_key_needs_a_name_and_a_company(take):
    nobody, named = take(Capture(name="Ann"), Capture(name="Ann", company="Bell"))
    assert nobody.refused
    assert named.created


@pytest.mark.once
@pytest.mark.parametrize(
    ("typed", "region", "number"),
    [
        ("01632 960142", "GB", "+441632960142"),
        ("+49 30 901820", "GB", "+4930901820"),
        ("030 901820", "DE", "+4930901820"),
    ],
)
def test_a_number_is_read_by_the_countrys_habits(typed, region, number):
    assert clean_phone(typed, region) == number


@pytest.mark.once
def test_a_number_with_too_few_digits_says_so():
    with pytest.raises(Refused, match="too few digits"):
        clean_phone("0163", "GB")


@pytest.mark.once
def test_the_original_of_an_address_is_kept():
    assert clean_email("Ann.O'Bell+x@Bell.Example") == ("Ann.O'Bell+x@bell.example", "ann.o'bell@bell.example")


@pytest.mark.parametrize("zone", ["Asia/Tokyo", "America/New_York", "Europe/London"])
def test_another_programs_never_is_refused_as_too_long_ago(take, zone):
    (got,) = take(Capture(email="ann@bell.example", occurred_at=datetime(1, 1, 1, tzinfo=ZoneInfo(zone))))
    assert got.refused == {"occurred_at": "This is too long ago."}


def test_what_grows_when_its_case_is_folded_still_fits_its_column(take):
    longest = {"channel": "ß" * 80, "campaign": "ß" * 120, "placement": "ß" * 120}
    (got,) = take(Capture(email=f"a@{'d' * 60}.{'e' * 60}.{'f' * 60}.{'g' * 60}.com", **longest))
    assert len(got.lead.source.key) <= 340
    assert len(got.lead.company.name) <= 200
    with pytest.raises(Refused, match="too long"):
        clean_email("ΐ" * 60 + f"@{'d' * 60}.{'e' * 60}.com")


@pytest.mark.parametrize("typed", ["1e-999999", "0." + "0" * 500 + "1"])
def test_a_number_of_endless_digits_is_refused(typed):
    with pytest.raises(ValueError, match="digits after the point"):
        one_value(FieldDefinition(kind="number"), typed)
