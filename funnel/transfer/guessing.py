"""Guess which column means what, by the names that other programs give them and by what stands in them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from funnel.leads.stages import Stage
from funnel.transfer.mapping import MUST_NOT, WHEN, must_not

# Per target the names of columns without signs and case, the likeliest first: where a file has several, it wins.
NAMES: dict[str, str] = {
    "first_name": "first name|firstname|first|given name|givenname|forename|fname|vorname|prénom|prenom|nombre|nome"
    "|voornaam|imię",
    "last_name": "last name|lastname|last|surname|family name|familyname|lname|nachname|nom|apellidos|apellido"
    "|cognome|achternaam|nazwisko",
    "name": "full name|fullname|contact name|contact person|display name|customer name|client name|name of buyer"
    "|ansprechpartner|nombre completo|nom complet|name|person|contact",
    "email": "email|e mail|email address|e mail address|emailaddress|primary email|work email|email work|email from"
    "|email id|mail|e mail adresse|mailadresse|e mail 1 value|email 1 value|correo electrónico|courriel|adresse e mail"
    "|email home|email other|secondary email",
    "phone": "phone|phone number|phonenumber|telephone|tel|mobile|mobile phone number|mobile phone|mobilephone"
    "|telephone number|work phone|phone work|phone mobile|phone 1 value|contact no 1|contact no|contact number"
    "|whatsapp phone number|sms|telefon|telefonnummer|handy|teléfono|téléphone|telefono|telefoon"
    "|phone home|other phone",
    "company": "company name|company account|account name|accountname|partner name|organization name|organisation name"
    "|organization|organisation|company|firm|business|employer|associated company|firma|unternehmen|empresa|société"
    "|entreprise|bedrijf|azienda",
    "external_id": "record id|lead id|prospect id|hs object id|contact id|customer id|client id|customer no"
    "|customer number|external id|person id|kundennummer|kunden nr|leid|id|nr|no|lead number",
    "source.channel": "lead source|leadsource|original source|original traffic source|source channel|channel|source"
    "|utm source|hs analytics source|medium|how did you hear about us|found us by|how|herkunft|quelle|origen|origine",
    "source.campaign": "campaign|campaign name|primary campaign|utm campaign|first touch converting campaign|kampagne"
    "|campaña|campagne",
    "source.placement": "placement|ad name|adset name|utm content",
    "received_at": "create date|created date|createddate|createdate|created at|createdat|created time|created on"
    "|created|date created|person created|first contact|first seen|since|added time|date added"
    "|date registered|optin time|confirm time|received|angelegt am|erstellt am|datum|date",
    "customer_since": "became a customer date|customer since|converted date|converteddate|converted at|convertedat"
    "|won time|kunde seit",
    "stage": "lifecycle stage|lifecyclestage|lead status|stage|status|converted|is customer|customer|iscustomer",
    "customer_holder": "contact owner|lead owner|account owner|owner|looked after by|salesperson|sales rep|sales agent"
    "|account manager|assigned user|assignedusername|assigned to|person owner|hubspot owner id|rep|betreuer",
}
# What says that somebody must not be mailed; of other ways to reach them it is noted in a field of the business's own.
BOUNCED = re.compile(
    r"^(((e ?mail )?(hard )?bounced?|clean time|invalid email.*|emailbounceddate)|.*mail\w*isinvalid)$"
)
NOT_MAIL = re.compile(r"phone|call|sms|fax")
OPT_OUT = re.compile(r"opt(ed)? ?out|unsub|blacklisted|do ?not ?(e ?mail|call|contact)")
# Where a file's ids come from, by columns that only this program writes.
SYSTEMS: dict[str, frozenset[str]] = {
    "hubspot": frozenset({"record id", "lifecycle stage"}),
    "salesforce": frozenset({"company account", "lead source"}),
    "salesforce ": frozenset({"isconverted", "leadsource"}),
    "mailchimp": frozenset({"member rating", "leid", "euid"}),
    "odoo": frozenset({"email from", "contact name"}),
    "espocrm": frozenset({"emailaddress", "accountname"}),
}
PREFIX = re.compile(r"^(person|contact) - ")
BLANKS = frozenset(("select", "-", "–", "--", "n/a", "na", "#n/a", "none", "null", "nan", "(blank)", "(none)", "?"))
STAGES: dict[Stage, str] = {
    Stage.CUSTOMER: "customer|client|won|closed won|converted|evangelist|existing customer|active customer|kunde"
    "|yes|true|1|y",
    Stage.NURTURING: "lead|enquiry|inquiry|prospect|open|new|contacted|subscriber|marketing qualified lead"
    "|sales qualified lead|opportunity|in progress|in process|assigned|working|nurturing|interessent|other"
    "|attempted to contact|connected|recycled|open deal|bad timing|no|false|0|n",
    Stage.LOST: "lost|dead|closed lost|lapsed|churned|former customer|cancelled|canceled|inactive|verloren",
    Stage.DISQUALIFIED: "disqualified|unqualified|not a fit|junk|spam|competitor|not interested",
}
MEANS = {word: stage for stage, words in STAGES.items() for word in words.split("|")}


def plain(name: str) -> str:
    """A column's name without prefix, signs and case."""
    return " ".join(re.sub(r"[\W_]+", " ", PREFIX.sub("", name.strip().casefold())).split())


def guess(columns: list[dict[str, Any]], own: Mapping[str, str]) -> dict[int, str]:
    """{place of a column: its target}; `own` holds the business's own fields, name by label."""
    names = {place: plain(column["name"]) for place, column in enumerate(columns) if column["filled"]}
    found = {place: stop for place, name in names.items() if (stop := _stops(name, columns[place]))}
    for target, listed in NAMES.items():
        for likely in listed.split("|"):
            place = next((place for place, name in names.items() if name == likely and place not in found), None)
            if place is not None and _fits(target, columns[place]):
                found[place] = target
                break
    taken = set(found.values())
    if {"first_name", "last_name"} & taken:
        found = {place: target for place, target in found.items() if target != "name"}
    if "email" not in taken and (place := _with_at(columns, found)) is not None:
        found[place] = "email"
    by_name = {plain(label): name for label, name in own.items()} | {plain(name): name for name in own.values()}
    for place, name in names.items():
        if place not in found and name in by_name and f"fields.{by_name[name]}" not in found.values():
            found[place] = f"fields.{by_name[name]}"
        elif place not in found and OPT_OUT.search(name):
            found[place] = f"fields.{slug(columns[place]['name'])}"
    return found


def _stops(name: str, column: dict[str, Any]) -> str:
    """The target of a column that says who must not be mailed, by its name or its words; a blank for any other."""
    said = [text.casefold() for text, _ in column["values"] or []]
    read = [must_not(text) is not None for text in said]
    if NOT_MAIL.search(name) or not (any(read) or column["dates"]):
        return ""
    if BOUNCED.search(name):
        return "bounced"
    return "no_mail" if OPT_OUT.search(name) or (all(read) and MUST_NOT.intersection(said)) else ""


def _fits(target: str, column: dict[str, Any]) -> bool:
    """Whether what stands in the column can be what its name says."""
    if target in ("stage", "customer_holder"):
        return column["values"] is not None
    if target in WHEN:
        return bool(column["dates"])
    return target != "email" or "@" in column["eg"]


def _with_at(columns: list[dict[str, Any]], found: Mapping[int, str]) -> int | None:
    for place, column in enumerate(columns):
        if place not in found and re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s]+", column["eg"]):
            return place
    return None


def system(columns: list[dict[str, Any]]) -> str:
    """The program that wrote a file, if its columns tell."""
    names = {plain(column["name"]) for column in columns}
    if any(column["name"].startswith("Person - ") for column in columns):
        return "pipedrive"
    return next((name.strip() for name, signs in SYSTEMS.items() if signs <= names), "")


def slug(label: str) -> str:
    """The name of a new field, as one that is made by hand gets it."""
    return re.sub(r"\W+", "_", label.lower()).strip("_")[:60].strip("_") or "field"


def blanks(columns: list[dict[str, Any]]) -> list[str]:
    """Words in the file that most likely mean nothing."""
    found = {
        text: None for column in columns for text, _ in column["values"] or [] if text.strip().casefold() in BLANKS
    }
    return list({text.casefold(): text for text in found}.values())


def order(column: dict[str, Any]) -> str:
    """How a column's dates are written: dmy, mdy or ymd; blank where a person must say it."""
    dates = column["dates"]
    if dates.get("day") and not dates.get("month"):
        return "dmy"
    if dates.get("month") and not dates.get("day"):
        return "mdy"
    return "" if dates.get("either") else "ymd"


def stage(text: str) -> str:
    """The stage that a word most likely means, or a blank."""
    return str(MEANS.get(" ".join(text.casefold().replace("-", " ").split()), ""))


def member(text: str, names: Mapping[str, str]) -> str:
    """The e-mail of the member that a word most likely names, or a blank; `names` holds names by e-mail."""
    said = " ".join(text.casefold().replace(".", " ").split())
    if text.strip().casefold() in names:
        return text.strip().casefold()
    found = [mail for mail, name in names.items() if _is_called(said, name.casefold())]
    return found[0] if len(found) == 1 else ""


def _is_called(said: str, name: str) -> bool:
    """ "Raj", "Raj B" and "Bhandari, Raj" are Raj Bhandari."""
    words, parts = name.split(), said.replace(",", " ").split()
    if not words or not parts:
        return False
    if sorted(words) == sorted(parts) or parts == words[:1]:
        return True
    return len(parts) == 2 and parts[0] == words[0] and len(parts[1]) == 1 and words[-1].startswith(parts[1])
