"""Every address of the API, for everybody: who gets in, and who learns nothing."""

import uuid
from datetime import timedelta

import pytest
from django.urls import get_resolver
from django.utils import timezone

from funnel.api.urls import routes
from funnel.ledger import actions as ledger
from funnel.outbox.models import Event
from funnel.workspaces.gate import everywhere
from funnel.workspaces.models import ApiKey
from marketing.campaigns.models import Campaign
from sales.deals import actions as deals
from sales.demos import actions as demos
from sales.negotiation import actions as quotes
from sales.negotiation import pricelist
from sales.negotiation.models import Product
from tests.conftest import undone

# name: (method, scope, body, who may)
MARKETING = ("owner", "manager", "marketer")
SELLING = ("owner", "manager", "rep")
LEADING = ("owner", "manager")
MET = {"answers": {key: {"met": True} for key in ("need", "budget", "authority", "timing")}}
QUOTE = {"deal": {"external_id": "D-1"}, "lines": [{"text": "Roof", "unit_price": "5"}]}
EVERYBODY = ("owner", "manager", "marketer", "rep", "viewer")
# Addresses with the id of a row that another business can't see.
OWNED = ("lead", "event-void", "campaign", "deal", "demo", "product", "quote", "quote-send")
OWNED_PARTS = ("lead-", "demo-", "deal-move", "deal-win", "deal-lose", "revenue-correct", "cost-correct")
PAST = {"starts_at": "2025-03-03T10:00:00Z", "ends_at": "2025-03-03T11:00:00Z"}
WALK = [
    ("leads", "get", "leads", None, EVERYBODY),
    ("leads", "post", "leads", {"email": "new@walk.example"}, (*MARKETING, "rep")),
    ("leads-batch", "post", "leads", {"leads": []}, (*MARKETING, "rep")),
    ("lead", "get", "leads", None, EVERYBODY),
    ("lead", "patch", "leads", {"name": "Ann"}, (*MARKETING, "rep")),
    ("lead-touch", "post", "leads", {"kind": "visit"}, (*MARKETING, "rep")),
    ("lead-accept", "post", "leads", {}, ("owner", "manager", "rep")),
    ("lead-return", "post", "leads", {"reason": "no-answer"}, ("owner", "manager", "rep")),
    ("lead-disqualify", "post", "leads", {}, (*MARKETING, "rep")),
    ("lead-events", "get", "leads", None, EVERYBODY),
    ("events", "get", "leads", None, EVERYBODY),
    ("event-void", "post", "leads", {"reason": "wrong person"}, MARKETING),
    ("stages", "get", "leads", None, EVERYBODY),
    ("kinds", "get", "leads", None, EVERYBODY),
    ("reasons", "get", "leads", None, EVERYBODY),
    ("fields", "get", "leads", None, EVERYBODY),
    ("fields", "post", "leads", {"name": "size"}, MARKETING),
    ("members", "get", "members", None, EVERYBODY),
    ("campaigns", "get", "campaigns", None, EVERYBODY),
    ("campaigns", "post", "campaigns", {"name": "Spring"}, MARKETING),
    ("campaign", "get", "campaigns", None, EVERYBODY),
    ("campaign", "patch", "campaigns", {"goal": "More"}, MARKETING),
    ("sources", "get", "campaigns", None, EVERYBODY),
    ("lead-qualify", "get", "leads", None, EVERYBODY),
    ("lead-qualify", "post", "leads", MET, SELLING),
    ("lead-qualify", "patch", "leads", {"answers": {"need": {"met": None}}}, SELLING),
    ("deals", "get", "deals", None, EVERYBODY),
    ("deals", "post", "deals", {"lead": {"external_id": "W-1"}}, SELLING),
    ("deal", "get", "deals", None, EVERYBODY),
    ("deal", "patch", "deals", {"title": "A roof"}, SELLING),
    ("deal-move", "post", "deals", {"stage": "demo"}, SELLING),
    ("deal-win", "post", "deals", {"amount": "5"}, SELLING),
    ("deal-lose", "post", "deals", {"reason": "price"}, SELLING),
    ("deal-reasons", "get", "deals", None, EVERYBODY),
    ("demos", "get", "deals", None, EVERYBODY),
    ("demos", "post", "deals", {"lead": {"external_id": "W-1"}, **PAST}, SELLING),
    ("demo", "get", "deals", None, EVERYBODY),
    ("demo", "patch", "deals", {"place": "Here"}, SELLING),
    ("demo-held", "post", "deals", {"note": "They like it"}, SELLING),
    ("demo-no-show", "post", "deals", {}, SELLING),
    ("demo-cancel", "post", "deals", {"reason": "They asked"}, SELLING),
    ("revenue", "get", "ledger", None, EVERYBODY),
    ("revenue", "post", "ledger", {"lead": {"external_id": "W-1"}, "amount": "5"}, SELLING),
    ("revenue-correct", "post", "ledger", {}, SELLING),
    ("costs", "get", "ledger", None, EVERYBODY),
    ("costs", "post", "ledger", {"channel": "radio", "amount": "5"}, MARKETING),
    ("cost-correct", "post", "ledger", {}, MARKETING),
    ("targets", "get", "ledger", None, EVERYBODY),
    ("targets", "post", "ledger", {"month": "2026-11", "amount": "5"}, ("owner", "manager")),
    ("report-funnel", "get", "reports", None, EVERYBODY),
    ("products", "get", "deals", None, EVERYBODY),
    ("products", "post", "deals", {"name": "Roof"}, LEADING),
    ("product", "get", "deals", None, EVERYBODY),
    ("product", "patch", "deals", {"description": "Slate"}, LEADING),
    ("quotes", "get", "deals", None, EVERYBODY),
    ("quotes", "post", "deals", QUOTE, SELLING),
    ("quote", "get", "deals", None, EVERYBODY),
    ("quote-send", "post", "deals", {}, SELLING),
    ("schema", "get", None, None, EVERYBODY),
]


def address(
    name, lead=None, event=None, campaign=None, deal=None, revenue=None, cost=None, product=None, quote=None, demo=None
):
    one = f"leads/{lead}/"
    return {
        "lead": one,
        "lead-touch": f"{one}touches/",
        "lead-accept": f"{one}accept/",
        "lead-return": f"{one}return/",
        "lead-qualify": f"{one}qualify/",
        "lead-disqualify": f"{one}disqualify/",
        "lead-events": f"{one}events/",
        "leads-batch": "leads/batch/",
        "event-void": f"events/{event}/void/",
        "campaign": f"campaigns/{campaign}/",
        "deal": f"deals/{deal}/",
        "deal-move": f"deals/{deal}/move/",
        "deal-win": f"deals/{deal}/win/",
        "deal-lose": f"deals/{deal}/lose/",
        "deal-reasons": "deals/reasons/",
        "demo": f"demos/{demo}/",
        "demo-held": f"demos/{demo}/held/",
        "demo-no-show": f"demos/{demo}/no-show/",
        "demo-cancel": f"demos/{demo}/cancel/",
        "revenue-correct": f"revenue/{revenue}/correct/",
        "cost-correct": f"costs/{cost}/correct/",
        "report-funnel": "reports/funnel/",
        "product": f"products/{product}/",
        "quote": f"quotes/{quote}/",
        "quote-send": f"quotes/{quote}/send/",
    }.get(name, f"{name}/")


@pytest.fixture
def objects(offered, catch, owner, rep, gate):
    """An offered lead, one of its events, a campaign, a deal of the rep's."""
    buyer = catch(rep, email="bob@ray.example")
    with gate(owner) as at:
        deal = deals.open_deal(buyer, by=rep, at=at, external=("", "D-1"))
        quote = quotes.draft(deal, [quotes.LineDraft("Roof", 10_000, 500)], by=rep, at=at).quote
        product = pricelist.add(Product(name="Roof"), {"GBP": 500}, by=owner, at=at)
        campaign = Campaign.objects.create(workspace=owner.workspace, key="fair", name="Fair", created_at=at)
        event = Event.objects.get(lead=offered, kind="form")
        revenue = ledger.book_revenue(buyer, 5_00, "GBP", by=rep, at=at, holder=rep)
        cost = ledger.book_cost(offered.source, 5_00, "GBP", workspace=owner.workspace, by=owner, at=at)
        times = {"starts_at": at - timedelta(hours=2), "ends_at": at - timedelta(hours=1)}
        demo = demos.book(buyer, holder=rep, by=rep, at=at, past=True, **times)
    found = {
        "demo": demo,
        "lead": offered,
        "event": event,
        "campaign": campaign,
        "deal": deal,
        "revenue": revenue,
        "cost": cost,
    }
    found |= {"product": product, "quote": quote}
    return {name: one.pk for name, one in found.items()}


@pytest.fixture
def cast(owner, manager, marketer, rep, viewer, outsider):
    return {
        "owner": owner,
        "manager": manager,
        "marketer": marketer,
        "rep": rep,
        "viewer": viewer,
        "outsider": outsider,
    }


def test_the_walk_knows_every_address_and_method():
    known = {(name, method) for name, method, *_ in WALK}
    real = {
        (route.name, method)
        for route in [*routes, *get_resolver("funnel.api.urls").url_patterns[-1].url_patterns]
        for method in route.callback.actions
        if method != "head"
    }
    assert real == known


def ask(keyed, name, method, body, objects):
    """Send what the walk sends to an address."""
    return getattr(keyed, method)(address(name, **objects), *([body] if body is not None else []))


def test_the_rightful_get_in_and_every_other_role_gets_403(objects, cast, api):
    for name, method, _, body, who in WALK:
        with undone():
            for role in EVERYBODY:
                if role in who and method == "post" and name not in ("leads", "leads-batch"):
                    continue
                status = ask(api(cast[role]), name, method, body, objects).status_code
                assert status == 403 if role not in who else status < 300, (method, name, role, status)


def test_the_rightful_can_act(objects, cast, api):
    for name, method, _, body, who in WALK:
        for role in who if method == "post" else ():
            with undone():
                answer = ask(api(cast[role]), name, method, body, objects)
                assert answer.status_code < 300, (name, role, answer.content)


def test_without_a_valid_key_there_is_nothing(objects, owner, api, client):
    revoked, expired = api(owner), api(owner)
    with everywhere():
        mine = list(ApiKey.objects.order_by("created_at"))
        ApiKey.objects.filter(pk=mine[0].pk).update(revoked_at=timezone.now())
        ApiKey.objects.filter(pk=mine[1].pk).update(expires_at=timezone.now() - timedelta(seconds=1))
    for name, method, _, body, _ in WALK:
        place = f"/api/v1/{address(name, **objects)}"
        answers = [
            client.generic(method.upper(), place, "{}", content_type="application/json"),
            client.generic(method.upper(), place, headers={"Authorization": "Bearer bt_nothing"}),
            client.generic(method.upper(), place, headers={"Authorization": "Basic Zm9vOmJhcg=="}),
            ask(revoked, name, method, body, objects),
            ask(expired, name, method, body, objects),
        ]
        for answer in answers:
            assert answer.status_code == 401, (method, name)
            assert answer["WWW-Authenticate"].startswith("Bearer")
            assert answer["Content-Type"] == "application/problem+json"


def test_a_log_in_in_the_browser_opens_nothing(owner, browse):
    assert browse(owner).get("/api/v1/leads/").status_code == 401


def test_the_key_of_a_member_who_left_is_nobody(rep, api):
    keyed = api(rep)
    with everywhere():
        type(rep).objects.filter(pk=rep.pk).update(active=False)
    assert keyed.get("leads/").status_code == 401


def test_a_key_does_only_what_its_scopes_say(objects, owner, api):
    for name, method, scope, body, _ in WALK:
        other = next(one for one in ("leads", "campaigns", "members", "reports") if one != scope)
        with undone():
            answer = ask(api(owner, other), name, method, body, objects)
            if scope is None:
                assert answer.status_code == 200, (method, name)
            else:
                assert answer.status_code == 403, (method, name)
                assert scope in answer.json()["detail"]
                assert ask(api(owner, scope), name, method, body, objects).status_code < 410, (method, name)


def test_another_business_s_row_is_404_like_one_that_never_was(objects, outsider, api):
    unknown = {**{kind: uuid.uuid4() for kind in objects}, "event": 99999999}
    keyed = api(outsider)
    for name, method, _, body, _ in WALK:
        if name in OWNED or name.startswith(OWNED_PARTS):
            theirs, nothing = (ask(keyed, name, method, body, rows) for rows in (objects, unknown))
            assert theirs.status_code == nothing.status_code == 404, (method, name)
            assert theirs.json() == nothing.json()


def test_lists_never_hold_another_business_s_rows(foreign, lead, owner, outsider, api):
    mine = {row["id"] for row in api(owner).get("leads/").json()["results"]}
    theirs = {row["id"] for row in api(outsider).get("leads/").json()["results"]}
    assert (mine, theirs) == ({str(lead.pk)}, {str(foreign.pk)})
    for words in ("q=foreign", "email=otto@foreign.example", "external_id=F-1"):
        assert api(owner).get(f"leads/?{words}").json()["results"] == []
    assert [one["email"] for one in api(owner).get("members/").json()["results"]] == [owner.email]


def test_another_business_s_member_is_nobody(lead, outsider, owner, api):
    answer = api(owner).post(f"leads/{lead.pk}/accept/", {"member": outsider.email})
    assert (answer.status_code, list(answer.json()["errors"])) == (400, ["member"])
    answer = api(owner).get(f"leads/?holder={outsider.email}")
    assert (answer.status_code, list(answer.json()["errors"])) == (400, ["holder"])


@pytest.mark.parametrize("method", ["PUT", "DELETE", "OPTIONS", "TRACE"])
def test_an_unknown_method_is_405_as_a_problem(method, owner, api):
    answer = api(owner).send(method, "leads/")
    assert (answer.status_code, answer["Content-Type"]) == (405, "application/problem+json")


@pytest.mark.parametrize(
    "path", ["leads/١/", "leads/7/", "leads/../leads/", "events/١/void/", "nothing/", "events/" + "9" * 40 + "/void/"]
)
def test_an_address_that_is_none_is_404_as_a_problem(path, owner, api):
    answer = api(owner).post(path, {"reason": "x"})
    assert (answer.status_code, answer["Content-Type"]) == (404, "application/problem+json")


def test_a_forgotten_slash_is_sent_on_with_its_method_and_body(owner, api):
    answer = api(owner).post("/api/v1/leads", {"email": "a@b.example"})
    assert (answer.status_code, answer["Location"]) == (308, "/api/v1/leads/")


def test_over_the_limit_is_429_with_the_seconds_to_wait(owner, api, settings):
    settings.API_LIMIT = 2
    keyed = api(owner)
    assert [keyed.get("stages/").status_code for _ in range(3)] == [200, 200, 429]
    answer = keyed.get("stages/")
    assert 1 <= int(answer["Retry-After"]) <= 60
    assert answer["Content-Type"] == "application/problem+json"
    assert api(owner).get("stages/").status_code == 200


def test_answers_are_json_whatever_the_client_accepts(owner, api):
    for accepts in ("text/html", "application/problem+json", "nonsense", ""):
        answer = api(owner).get("stages/", HTTP_ACCEPT=accepts)
        assert (answer.status_code, answer["Content-Type"]) == (200, "application/json")


def test_the_schema_lists_every_address_as_json_and_as_yaml(owner, api):
    schema = api(owner).get("schema/").json()
    assert schema["openapi"].startswith("3.")
    assert len(schema["paths"]) == len({name for name, *_ in WALK})
    assert schema["components"]["securitySchemes"]["key"]["scheme"] == "bearer"
    assert "external_id" in str(schema["paths"]["/api/v1/leads/"]["post"]["requestBody"])
    assert api(owner).get("schema/?format=yaml").content.startswith(b"openapi:")
