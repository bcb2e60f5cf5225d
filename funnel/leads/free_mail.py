"""Mail domains that anybody can have an address at, so that they tell no company."""

from pathlib import Path


def _listed(name: str) -> frozenset[str]:
    return frozenset((Path(__file__).parent / f"{name}.txt").read_text().split())


FREE_MAIL = _listed("free_mail")
# Made for one mail and thrown away; mostly the public list github.com/disposable-email-domains (CC0).
DISPOSABLE = _listed("disposable")


def is_disposable(domain: str) -> bool:
    """Whether a domain without capitals gives throw-away addresses, or is a part of one that does."""
    while domain:
        if domain in DISPOSABLE:
            return True
        domain = domain.partition(".")[2]
    return False
