"""Clean what a capture says, and tell by which keys we would know the person again."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

import phonenumbers
from email_validator import EmailNotValidError, validate_email

from funnel.leads.fields import FieldBook
from funnel.leads.free_mail import FREE_MAIL, is_disposable
from funnel.leads.models import LeadKey
from funnel.leads.stages import Stage
from funnel.workspaces.models import Member
from funnel.workspaces.refusals import Refusal

Key = tuple[str, str]
# A clock that runs ahead a little is forgiven; a date next week is a mistake.
AHEAD = timedelta(minutes=5)
# Other programs write "0001-01-01" for "never"; that near the first year no page can show it in its own time zone.
EARLIEST = datetime(1900, 1, 1, tzinfo=UTC)
LENGTHS = {"name": 200, "company": 200, "external_id": 200, "external_system": 60}
# What no mail system reads in two ways; everything else is the validator's to judge.
PLAIN_ADDRESS = re.compile(
    r"(?=.{6,254}$)(?=[^@]{1,64}@)[A-Za-z0-9_%+-]+(?:\.[A-Za-z0-9_%+-]+)*"
    r"@(?:(?!..--)[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+(?:com|net|org|[a-z]{2}|example|test)"
)
# As long as LeadKey.value; letters can become three when their case is folded.
LONGEST_KEY = 270
SOURCE_LENGTHS = {"channel": 80, "campaign": 120, "placement": 120}


class Refused(Refusal):
    """A capture that can't be taken: a sentence per field."""

    status = 400

    def __init__(self, errors: dict[str, str]) -> None:
        super().__init__(" ".join(errors.values()))
        self.errors = errors


@dataclass(slots=True)
class Capture:
    """What one door learned of one person; every door fills one of these and calls `receive`.

    `asks` says that the person asked for contact; `handover` False keeps this capture from opening a handoff;
    `overwrite` is for doors that know better than what is there (a key, a member), never with a blank. `stage` and
    `holder` are where a new lead begins, and with whom; whoever is here already stays where they are. `about` is when a
    new lead came as far as anybody remembers; of one who is here already better is known. `customer_since` goes with
    the stage of a customer.
    """

    kind: str = "received"
    name: str = ""
    email: str = ""
    phone: str = ""
    company: str = ""
    external_system: str = ""
    external_id: str = ""
    channel: str = ""
    campaign: str = ""
    placement: str = ""
    occurred_at: datetime | None = None
    about: datetime | None = None
    customer_since: datetime | None = None
    fields: dict[str, Any] = field(default_factory=dict)
    consents: dict[str, str] = field(default_factory=dict)
    data: dict[str, Any] = field(default_factory=dict)
    stage: Stage | None = None
    holder: Member | None = None
    handover: bool = True
    asks: bool = False
    overwrite: bool = False
    # Known and unchanged leaves no event: an import's second run.
    silent_when_same: bool = False
    # A row without any key is known again by this.
    row_key: str = ""
    recorded_at: datetime | None = None
    keys: list[Key] = field(default_factory=list)

    @property
    def is_ended(self) -> bool:
        """Whether it tells of somebody that it ended with them."""
        return self.stage in (Stage.LOST, Stage.DISQUALIFIED)


def clean(capture: Capture, *, region: str, book: FieldBook, at: datetime) -> Capture:
    """Normalise a capture in place and fill its keys; raise Refused with a sentence for each wrong field.

    `region` is the country by which a phone number without prefix is read.
    """
    errors: dict[str, str] = {}
    for name, length in LENGTHS.items():
        value = " ".join(str(getattr(capture, name)).split())
        if "\x00" in value:
            errors[name] = "This text holds a character that can't be stored."
        elif len(value) > length:
            errors[name] = f"This is longer than {length} characters."
        setattr(capture, name, value)
    for name, length in SOURCE_LENGTHS.items():
        value = " ".join(str(getattr(capture, name)).split())
        if "\x00" in value or len(value) > length:
            errors[f"source.{name}"] = f"This is longer than {length} characters."
        setattr(capture, name, value)
    capture.channel = capture.channel or "unknown"
    try:
        capture.email, email_key = clean_email(capture.email)
    except Refused as refused:
        errors.update(refused.errors)
        email_key = ""
    try:
        capture.phone = clean_phone(capture.phone, region)
    except Refused as refused:
        errors.update(refused.errors)
    for name, moment in (
        ("occurred_at", capture.occurred_at or capture.about),
        ("customer_since", capture.customer_since),
    ):
        if moment and moment > at + AHEAD:
            errors[name] = "This lies in the future; send when it happened."
        elif moment and moment < EARLIEST:
            errors[name] = "This is too long ago."
    try:
        capture.fields = book.clean(capture.fields)
    except Refused as refused:
        errors.update(refused.errors)
    capture.keys = []
    if capture.external_id:
        capture.keys.append((LeadKey.Kind.EXTERNAL, f"{capture.external_system}\x1f{capture.external_id}"))
    if email_key:
        capture.keys.append((LeadKey.Kind.EMAIL, email_key))
    if capture.phone and "phone" not in errors:
        capture.keys.append((LeadKey.Kind.PHONE, capture.phone))
    if not capture.keys and not errors:
        if not (capture.name and capture.company):
            errors["email"] = "Give an e-mail address, a phone number or an external id; or a name and a company."
        elif capture.row_key:
            capture.keys.append((LeadKey.Kind.EXTERNAL, f"row\x1f{capture.row_key}"))
    if errors:
        raise Refused(errors)
    return capture


@lru_cache(maxsize=4096)
def clean_email(typed: str) -> tuple[str, str]:
    """Give the address to keep (its domain in ASCII) and the key that its variants share, or raise Refused.

    The key has no case and no "+tag"; at Gmail no dots either.
    """
    typed = typed.strip()
    if not typed:
        return "", ""
    if PLAIN_ADDRESS.fullmatch(typed):
        # Most addresses look like this, and the validator would spend a tenth of the worker's time on them.
        name, _, host = typed.rpartition("@")
        return _address(name, host.lower())
    try:
        found = validate_email(typed, check_deliverability=False, test_environment=True, strict=True)
    except EmailNotValidError:
        raise Refused({"email": "This is not an e-mail address. Write it like name@example.com."}) from None
    return _address(found.local_part, (found.ascii_domain or found.domain).lower())


def _address(name: str, domain: str) -> tuple[str, str]:
    """The address to keep and its key, from a name before the @ and an ASCII domain."""
    address = f"{name}@{domain}"
    if len(address) > 254:
        raise Refused({"email": "This address is longer than 254 characters."})
    local = unicodedata.normalize("NFC", name).casefold().split("+", 1)[0] or name
    if domain in ("gmail.com", "googlemail.com"):
        local, domain = local.replace(".", ""), "gmail.com"
    key = f"{local}@{domain}"
    if len(key) > LONGEST_KEY:
        raise Refused({"email": "This address is too long."})
    return address, key


@lru_cache(maxsize=4096)
def clean_phone(typed: str, region: str) -> str:
    """Give the number in E.164, read by the country's habits, or raise Refused."""
    typed = typed.strip()
    if not typed:
        return ""
    try:
        number = phonenumbers.parse(typed[:60], region or None)
    except phonenumbers.NumberParseException:
        raise Refused({"phone": _phone_trouble(typed)}) from None
    found = phonenumbers.is_possible_number_with_reason(number)
    if found == phonenumbers.ValidationResult.TOO_LONG:
        raise Refused({"phone": "This number has too many digits."})
    if found != phonenumbers.ValidationResult.IS_POSSIBLE:
        raise Refused({"phone": _phone_trouble(typed)})
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def _phone_trouble(typed: str) -> str:
    digits = sum(sign.isdigit() for sign in typed)
    if 0 < digits < 8:
        return "This number has too few digits."
    return "This is not a phone number. Write it with its area code."


def business_domain(email: str) -> str:
    """The address's domain where it tells the company; blank for free-mail and throw-away addresses."""
    domain = email.rpartition("@")[2].lower()
    return "" if domain in FREE_MAIL or is_disposable(domain) else domain
