"""Who gives a lead back is promised nurture mails for it only where it would get them."""

import html
from datetime import timedelta

import pytest

from funnel.leads.models import Consent, Lead
from funnel.mail.models import Message
from marketing.nurture import actions as nurture
from marketing.nurture.models import Enrollment, Sequence, Step

PROMISE = "nurture mails meanwhile"


def unsubscribed(lead, rep, at):
    nurture.no_mail(lead, by=rep, at=at)


def without_consent(lead, rep, at):
    Consent.objects.all().delete()


def without_address(lead, rep, at):
    Lead.objects.update(email="")


def switched_off(lead, rep, at):
    Sequence.objects.update(is_on=False)


def customer(lead, rep, at):
    Lead.objects.update(stage="customer")


def had_all(lead, rep, at):
    Step.objects.update(removed_at=at)


@pytest.fixture
def pages(lead, rep, browse):
    """The lead's page and the desk, on which the rep may give the lead back."""

    def read():
        page = browse(rep)
        return [
            html.unescape(page.get(path).content.decode()) for path in (f"/leads/{lead.pk}/", f"/sales/?lead={lead.pk}")
        ]

    return read


def test_the_mails_are_promised_to_who_would_get_them(nurtured, lead, pages, given_back, work, gate, rep):
    for page in pages():
        assert PROMISE in page
        assert "No nurture mails." not in page
    given_back()
    work()
    with gate(rep):
        assert Enrollment.objects.filter(lead=lead).exists()


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (unsubscribed, "They want no more mail"),
        (without_consent, "They didn’t agree to mail"),
        (without_address, "No e-mail address"),
        (switched_off, "They are switched off"),
        (had_all, "They have had them all"),
    ],
)
def test_they_are_not_promised_to_who_would_get_none(nurtured, lead, pages, given_back, work, gate, rep, change, why):
    with gate(rep) as at:
        change(lead, rep, at)
    for page in pages():
        assert PROMISE not in page
        assert f"No nurture mails. {why}." in page
    given_back()
    work()
    with gate(rep):
        assert not Enrollment.objects.exists()


def test_a_new_business_promises_none_and_none_goes_later(lead, pages, given_back, work, gate, rep, owner):
    for page in pages():
        assert "No nurture mails. They are switched off." in page
    at = given_back()
    work()
    with gate(owner):
        sequence = nurture.sequence_of(owner.workspace, at=at)
        nurture.keep_step(Step(workspace=owner.workspace, sequence=sequence, days=0, subject="Hello", text="Words"))
        nurture.set_up(sequence, is_on=True, sender=None)
    for days in (0, 30, 60, 100):
        work(at=at + timedelta(days=days))
    with gate(rep):
        assert not Enrollment.objects.exists()
        assert not Message.objects.filter(kind="nurture").exists()


def test_a_customer_is_promised_none(nurtured, lead, pages, gate, rep):
    with gate(rep) as at:
        customer(lead, rep, at)
    for page in pages():
        assert PROMISE not in page
        assert "No nurture mails. Became a customer." in page
