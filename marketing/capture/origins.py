"""Where somebody came from, as a link's tags and the referrer tell it: channel, campaign, placement."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from marketing.channels.actions import channel_key, shipped_keys

TAGS = ("utm_source", "utm_medium", "utm_campaign", "utm_content", "utm_term", "c")
LENGTHS = {"channel": 80, "campaign": 120, "placement": 120}
# What others write as the medium, and the channel that is meant by it.
MEDIUMS = {
    "cpc": "paid_search", "ppc": "paid_search", "sem": "paid_search", "paid": "paid_search",
    "paidsearch": "paid_search",
    "organic": "organic_search", "seo": "organic_search", "search": "organic_search",
    "mail": "email", "e_mail": "email", "newsletter": "email",
    "social_media": "social", "social_network": "social", "paid_social": "social", "sm": "social",
    "link": "referral", "affiliate": "partner", "partners": "partner", "letter": "direct_mail", "post": "direct_mail",
    "leaflet": "flyer", "poster": "billboard", "fair": "event", "webinar": "event", "blog": "content", "none": "direct",
}  # fmt: skip
# Names in a host or in utm_source.
SEARCH = {"google", "bing", "duckduckgo", "ecosia", "yahoo", "qwant", "startpage", "yandex", "baidu", "brave"}
SOCIAL = {
    "facebook", "fb", "instagram", "ig", "linkedin", "lnkd", "twitter", "t", "x", "youtube", "tiktok", "pinterest",
    "reddit", "xing", "threads", "whatsapp", "bsky",
}  # fmt: skip
SOCIAL_HOSTS = {"t.co", "x.com", "fb.com", "fb.me", "lnkd.in", "youtu.be", "wa.me", "pin.it"}


def came_from(
    typed: Mapping[str, str], query: Mapping[str, str], referer: str, *, here: str, own: Collection[str] = ()
) -> dict[str, Any]:
    """Give channel, campaign and placement, with the referrer and the tags they rest on.

    `typed` is the POST's body, `query` its address's; `referer` its header: our own page (at host `here`), or the page
    of another site that the form stands on. `own` are the hosts of the business's own sites, which refer nobody.
    """
    page = "" if host_of(referer) in ("", here) else referer
    tags = _tags(typed, query, dict(_pairs(referer)))
    referrer = _plain(typed.get("referrer", ""), 500) or _plain(page, 500)
    host = host_of(referrer)
    if host == here:
        referrer = host = ""
    found: dict[str, Any] = _by_tags(tags) or _by_host(host, own)
    found["campaign"] = tags.get("c") or tags.get("utm_campaign", "")
    if tags.get("utm_content"):
        found["placement"] = tags["utm_content"]
    for name, length in LENGTHS.items():
        found[name] = found.get(name, "")[:length].strip()
    if referrer:
        found["referrer"] = referrer
    utm = {name[4:]: value for name, value in tags.items() if name != "c"}
    if utm:
        found["utm"] = utm
    return found


def host_of(address: str) -> str:
    """The host of an http address in lower case, without "www."; blank for anything else."""
    try:
        parts = urlsplit(address.strip())
        host = parts.hostname or ""
    except ValueError:
        return ""
    return host.removeprefix("www.") if parts.scheme in ("http", "https") else ""


def _pairs(address: str) -> list[tuple[str, str]]:
    try:
        return parse_qsl(urlsplit(address).query, max_num_fields=50)
    except ValueError:
        return []


def _plain(text: str, length: int) -> str:
    """Without what can't be stored or shown; cut, because a tag that is too long may not cost the lead."""
    return "".join(sign for sign in text[: 2 * length] if sign.isprintable())[:length].strip()


def _tags(*places: Mapping[str, str]) -> dict[str, str]:
    """Each tag from the first place that has it: a link's own tags count before those of the page around."""
    found = {}
    for name in TAGS:
        for place in places:
            if value := _plain(place.get(name, ""), 120):
                found[name] = value
                break
    return found


def _by_tags(tags: Mapping[str, str]) -> dict[str, Any]:
    medium, source = channel_key(tags.get("utm_medium", "")), tags.get("utm_source", "")
    name = channel_key(source)
    if medium:
        channel = MEDIUMS.get(medium, medium)
        return {"channel": channel, "placement": "" if name == channel else source}
    if not source:
        return {}
    if name in shipped_keys():
        return {"channel": name}
    if name in MEDIUMS:
        return {"channel": MEDIUMS[name]}
    known = _by_name(name.split("."))
    return {"channel": known or "referral", "placement": source}


def _by_host(host: str, own: Collection[str]) -> dict[str, Any]:
    if not host:
        return {"channel": "direct"}
    if host in own:
        # The page is the business's own; how they came to it nobody has told us.
        return {"channel": "unknown"}
    if host in SOCIAL_HOSTS:
        return {"channel": "social", "placement": host}
    known = _by_name(part for part in host.split(".") if len(part) > 2)
    return {"channel": known or "referral", "placement": host}


def _by_name(names: Any) -> str:
    for name in names:
        if name in SEARCH:
            return "organic_search"
        if name in SOCIAL:
            return "social"
    return ""
