"""Who works here: invite, join, roles, taking leads."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from funnel.handoff import actions as handoff
from funnel.handoff.models import Handoff
from funnel.mail.links import invitation_link
from funnel.mail.models import Message
from funnel.mail.sending import text_of
from funnel.workspaces.gate import everywhere
from funnel.workspaces.models import AuditEntry, Invitation, Member, Role, User
from tests.conftest import PASSWORD, make_member
from tests.funnel.overview.people import came

pytestmark = pytest.mark.django_db


def path_of(invitation):
    return invitation_link(invitation).removeprefix("http://127.0.0.1:8000")


@pytest.fixture
def invited(owner, browse, gate):
    def made(email="rita.new@first.example", role="rep", by=None):
        answer = browse(by or owner).post(reverse("invite"), {"email": email, "role": role})
        assert answer.status_code == 302, answer.content.decode()
        with gate(owner):
            return Invitation.objects.select_related("workspace").get(email=email.lower())

    return made


def test_the_page_says_how_many_take_leads(owner, browse, gate):
    assert "1\xa0person, who takes no leads." in browse(owner).get(reverse("people")).content.decode()
    with gate(owner):
        Member.objects.update(takes_leads=True)
    assert "1\xa0person, who takes leads." in browse(owner).get(reverse("people")).content.decode()
    make_member(owner.workspace, "rep", "Rita Rep")
    assert "2\xa0people, 1 of them takes leads." in browse(owner).get(reverse("people")).content.decode()


def test_an_invitation_is_mailed_and_its_link_can_be_copied(owner, browse, gate, invited):
    invitation = invited("New.Rep@First.example")
    page = browse(owner).get(reverse("people")).content.decode()
    assert invitation_link(invitation) in page
    with gate(owner):
        letter = Message.objects.get()
        assert AuditEntry.objects.filter(action="invited", target="new.rep@first.example").exists()
        assert f"as sales rep to Baton, where {owner.workspace.name} works on" in text_of(letter, owner.workspace)
    assert (letter.kind, letter.to_email) == ("invitation", "new.rep@first.example")
    assert "join" not in str(letter.context)


def test_the_invited_person_chooses_a_name_and_a_password_and_is_in(owner, gate, invited):
    link = path_of(invited())
    client = Client()
    assert "Join First" in client.get(link).content.decode()
    assert not User.objects.filter(email="rita.new@first.example").exists()
    assert client.post(link, {"name": "Rita New", "password1": "short"}).status_code == 422
    answer = client.post(link, {"name": "Rita New", "password1": PASSWORD})
    assert (answer.status_code, answer["Location"]) == (302, "/")
    with everywhere():
        member = Member.objects.select_related("user").get(user__email="rita.new@first.example")
    assert (member.role, member.takes_leads, member.name) == (Role.REP, True, "Rita New")
    assert client.get(reverse("me")).status_code == 200
    assert Client().get(link).status_code == 410
    assert Client().post(link, {"name": "Other", "password1": PASSWORD}).status_code == 410


def test_an_existing_person_joins_with_their_own_password(owner, outsider, gate, invited):
    link = path_of(invited(outsider.email, "marketer"))
    client = Client()
    assert "You have a log-in already" in client.get(link).content.decode()
    assert client.post(link, {"password1": "wrong-password"}).status_code == 422
    with everywhere():
        assert Member.objects.filter(user=outsider.user).count() == 1
    assert client.post(link, {"password1": PASSWORD}).status_code == 302
    assert "First" in client.get(reverse("me")).content.decode()
    outsider.user.refresh_from_db()
    assert outsider.user.check_password(PASSWORD)
    with everywhere():
        assert Member.objects.filter(user=outsider.user).count() == 2


def test_somebody_who_is_logged_in_joins_with_a_click_but_not_for_another(owner, outsider, rep, browse, invited):
    link = path_of(invited(outsider.email, "viewer"))
    assert browse(rep).post(link).status_code == 422
    assert browse(outsider).post(link).status_code == 302
    with everywhere():
        assert Member.objects.get(user=outsider.user, workspace=owner.workspace).role == Role.VIEWER


def test_a_link_ends_after_seven_days_or_when_it_is_taken_back(owner, browse, gate, invited):
    old = invited()
    with gate(owner):
        Invitation.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert Client().get(path_of(old)).status_code == 410
    renewed = invited()
    assert Client().get(path_of(renewed)).status_code == 200
    assert browse(owner).post(reverse("invitation-withdraw", args=[renewed.pk])).status_code == 302
    assert Client().get(path_of(renewed)).status_code == 410
    assert Client().get("/join/nonsense/").status_code == 410


def test_the_first_rep_relieves_the_owner_of_new_leads(owner, gate, invited):
    with gate(owner):
        Member.objects.filter(pk=owner.pk).update(takes_leads=True)
    Client().post(path_of(invited()), {"name": "Rita New", "password1": PASSWORD})
    owner.refresh_from_db()
    assert owner.takes_leads is False


def test_what_waited_for_the_owner_goes_to_the_first_rep_and_the_owner_reads_it(owner, gate, browse, invited):
    with gate(owner) as at:
        Member.objects.filter(pk=owner.pk).update(takes_leads=True)
        leads = came(owner, at, "Ann Bell", "Bob Cole")
        handoff.open_for(leads, why=dict.fromkeys([one.pk for one in leads], "."), workspace=owner.workspace, at=at)
        assert Handoff.objects.open().filter(offered_to=owner).count() == 2
    rita = Client()
    rita.post(path_of(invited()), {"name": "Rita New", "password1": PASSWORD})
    with gate(owner):
        assert {one.offered_to.name for one in Handoff.objects.open().with_lead()} == {"Rita New"}
    assert "Bob Cole" in rita.get("/sales/").content.decode()
    assert "New leads go to <bdi>Rita</bdi> now, and no longer to you" in browse(owner).get("/").content.decode()


def test_an_owner_who_sells_beside_reps_goes_on_selling(owner, rep, gate, invited):
    with gate(owner):
        Member.objects.filter(pk=owner.pk).update(takes_leads=True)
    Client().post(path_of(invited()), {"name": "Rita New", "password1": PASSWORD})
    owner.refresh_from_db()
    assert owner.takes_leads is True


def test_only_an_owner_makes_owners(owner, manager, browse, gate):
    assert browse(manager).post(reverse("invite"), {"email": "x@first.example", "role": "owner"}).status_code == 422
    answer = browse(manager).post(reverse("people"), {f"role-{manager.pk}": "owner"})
    assert answer.status_code == 403
    assert browse(manager).post(reverse("people"), {f"role-{owner.pk}": "viewer"}).status_code == 403
    for one in (manager, owner):
        one.refresh_from_db()
    assert (manager.role, owner.role) == (Role.MANAGER, Role.OWNER)
    with gate(owner):
        assert not Invitation.objects.exists()
        assert not AuditEntry.objects.filter(action="role changed").exists()


def test_the_last_owner_keeps_the_role_until_there_is_another(owner, manager, browse):
    page = browse(owner).post(reverse("people"), {f"role-{owner.pk}": "manager"})
    assert page.status_code == 409
    assert "last owner" in page.content.decode()
    owner.refresh_from_db()
    assert owner.role == Role.OWNER
    both = {f"role-{owner.pk}": "manager", f"role-{manager.pk}": "owner"}
    assert browse(owner).post(reverse("people"), both).status_code == 302
    owner.refresh_from_db()
    manager.refresh_from_db()
    assert (owner.role, manager.role) == (Role.MANAGER, Role.OWNER)


def test_saving_is_all_or_nothing(owner, rep, browse):
    wrong = {f"role-{owner.pk}": "viewer", f"role-{rep.pk}": "marketer"}
    assert browse(owner).post(reverse("people"), wrong).status_code == 409
    rep.refresh_from_db()
    assert (rep.role, rep.takes_leads) == (Role.REP, True)


@pytest.mark.parametrize("who", ["marketer", "rep", "viewer"])
def test_others_do_not_decide_about_people(request, who, owner, browse):
    member = request.getfixturevalue(who)
    client = browse(member)
    assert client.get(reverse("people")).status_code == 403
    assert client.post(reverse("invite"), {"email": "x@first.example", "role": "rep"}).status_code == 403
    assert client.post(reverse("member-remove", args=[owner.pk])).status_code == 403


def test_an_outsider_finds_nobody_of_this_business(outsider, rep, invited, browse):
    client, invitation = browse(outsider), invited()
    assert rep.email not in client.get(reverse("people")).content.decode()
    for name in ("member-remove", "member-logout", "member-password"):
        assert client.post(reverse(name, args=[rep.pk])).status_code == 404
    assert client.post(reverse("invitation-withdraw", args=[invitation.pk])).status_code == 404
    rep.refresh_from_db()
    assert rep.active


def test_who_takes_no_leads_any_more_passes_on_at_once_what_waits(owner, rep, other_rep, browse, gate, open_handoff):
    first = open_handoff(rep)
    saved = {f"shown-{rep.pk}": "1", f"shown-{other_rep.pk}": "1", f"takes-{other_rep.pk}": "1"}
    assert browse(owner).post(reverse("people"), saved).status_code == 302
    with gate(owner):
        first.refresh_from_db()
        assert first.outcome == "rerouted"
        assert Handoff.objects.open().get(lead=first.lead_id).offered_to == other_rep
    rep.refresh_from_db()
    assert rep.takes_leads is False


def test_a_list_of_ten_people_costs_as_many_queries_as_one(owner, browse):
    client = browse(owner)
    client.get(reverse("people"))
    with CaptureQueriesContext(connection) as few:
        client.get(reverse("people"))
    for number in range(9):
        make_member(owner.workspace, Role.REP, f"Rep{number} Many")
    with CaptureQueriesContext(connection) as many:
        client.get(reverse("people"))
    assert len(many) <= len(few)


def test_an_owner_makes_a_link_for_a_new_password_but_not_for_people_of_other_businesses(
    owner, manager, rep, outsider, browse, invited, gate
):
    assert browse(manager).post(reverse("member-password", args=[rep.pk])).status_code == 403
    page = browse(owner).post(reverse("member-password", args=[rep.pk])).content.decode()
    link = page.split('value="http://127.0.0.1:8000/password/')[1].split('"')[0]
    assert Client().get(f"/password/{link}", follow=True).status_code == 200
    with gate(owner):
        assert AuditEntry.objects.filter(action="password link made", target=rep.email).exists()
    browse(outsider).post(path_of(invited(outsider.email, "viewer")))
    with everywhere():
        guest = Member.objects.get(user=outsider.user, workspace=owner.workspace)
    refused = browse(owner).post(reverse("member-password", args=[guest.pk]))
    assert refused.status_code == 403
    assert "another business" in refused.content.decode()
    assert "http://127.0.0.1:8000/password/" not in refused.content.decode()


def test_logging_a_member_out_everywhere_ends_their_sessions(owner, manager, rep, browse):
    theirs = browse(rep)
    assert theirs.get(reverse("me")).status_code == 200
    assert browse(manager).post(reverse("member-logout", args=[rep.pk])).status_code == 302
    assert theirs.get(reverse("me")).status_code == 302
    assert browse(manager).post(reverse("member-logout", args=[owner.pk])).status_code == 403


def test_a_role_and_who_takes_leads_are_saved_together(owner, manager, rep, browse, gate):
    sent = {f"role-{manager.pk}": "rep", f"shown-{manager.pk}": "1", f"takes-{manager.pk}": "1"}
    sent |= {f"role-{rep.pk}": "viewer", f"shown-{rep.pk}": "1", f"takes-{rep.pk}": "1"}
    assert browse(owner).post(reverse("people"), sent).status_code == 302
    with gate(owner):
        manager.refresh_from_db()
        rep.refresh_from_db()
    assert (manager.role, manager.takes_leads) == ("rep", True)
    assert (rep.role, rep.takes_leads) == ("viewer", False)


def test_how_many_leads_a_week_each_can_take_is_saved_or_said_why_not(owner, rep, browse, gate):
    page = browse(owner)
    for wrong in ("-1", "1001", "ten", "٣", ""):
        answer = page.post(reverse("people"), {f"weekly-{rep.pk}": wrong})
        assert answer.status_code == 422
        assert "Leads a week of Rita Rep: write a whole number from 0 to 1000." in answer.content.decode()
    assert page.post(reverse("people"), {f"weekly-{rep.pk}": "4"}).status_code == 302
    with gate(owner):
        rep.refresh_from_db()
        assert rep.weekly_leads == 4
        assert AuditEntry.objects.filter(action="leads a week").count() == 1


def test_a_viewer_is_told_what_they_may_read_and_no_more(viewer, owner, browse, invited):
    says = "You can read leads, campaigns, deals and quotes, and change nothing."
    assert says in Client().get(path_of(invited("vic@first.example", "viewer"))).content.decode()
    assert "reads leads, campaigns, deals and quotes; changes nothing" in browse(owner).get("/people/").content.decode()
    client = browse(viewer)
    for name in ("leads", "marketing:campaigns", "sales:board", "sales:quotes"):
        assert client.get(reverse(name)).status_code == 200, name
    for name in ("sales:targets", "holidays", "stuck"):
        assert client.get(reverse(name)).status_code == 403, name
