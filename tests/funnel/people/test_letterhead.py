"""What stands on a business's quotes and public pages, and its logo."""

from __future__ import annotations

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from funnel.workspaces import logos
from funnel.workspaces.models import AuditEntry, Workspace
from tests.funnel.people.pictures import JPEG, png

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def files(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path
    return tmp_path


def typed(logo=b"", **also):
    given = {"address": "4 Brook Yard\r\n Craven Arms SY7 ", "tax_number": "VAT  GB 1", "quote_terms": "Fixed price"}
    if logo:
        given["logo"] = SimpleUploadedFile("../../x.html", logo, content_type="text/html")
    return given | also


def business(owner):
    return Workspace.objects.get(pk=owner.workspace_id)


def test_the_owner_says_what_stands_on_quotes(owner, browse, gate):
    assert browse(owner).post(reverse("letterhead"), typed()).status_code == 302
    now = business(owner)
    assert (now.address, now.tax_number) == ("4 Brook Yard\nCraven Arms SY7", "VAT GB 1")
    with gate(owner):
        assert AuditEntry.objects.filter(action="business changed").exists()


@pytest.mark.parametrize(("content", "kind"), [(png(60, 20), "image/png"), (JPEG, "image/jpeg")])
def test_a_logo_is_served_as_what_it_is_to_everybody(owner, browse, content, kind):
    browse(owner).post(reverse("letterhead"), typed(content))
    answer = Client().get(reverse("logo", args=[owner.workspace_id, business(owner).logo]))
    assert (answer.status_code, answer["Content-Type"]) == (200, kind)
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert b"".join(answer.streaming_content) == content
    assert not answer.cookies
    browse(owner).post(reverse("letterhead"), typed(**{"remove-logo": "1"}))
    assert business(owner).logo == ""


@pytest.mark.parametrize(
    "content",
    [
        b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>",
        b"<html><script>alert(1)</script>",
        b"GIF89a" + b"\x00" * 40,
        b"\x89PNG\r\n\x1a\n",
        png(5, 5, says=(30_000, 30_000)),
        png(5, 5, says=(0, 5)),
        JPEG[:20],
        png(60, 20) + b"\x00" * logos.BIGGEST,
    ],
)
def test_what_is_no_small_png_or_jpeg_is_refused(owner, browse, files, content):
    answer = browse(owner).post(reverse("letterhead"), typed(content))
    assert answer.status_code == 422
    assert business(owner).logo == business(owner).address == ""
    assert not list(files.rglob("*.*"))


def test_an_address_of_a_logo_leads_to_nothing_else(owner, browse, files):
    (files / str(owner.workspace_id)).mkdir()
    (files / str(owner.workspace_id) / "secret.txt").write_text("secret")
    for name in ("secret.txt", "..%2f..%2fsecret.key", "a" * 64 + ".png", "."):
        assert Client().get(f"/logo/{owner.workspace_id}/{name}").status_code == 404


def test_a_disk_that_is_full_is_said_and_nothing_changes(owner, browse, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(logos, "keep", full)
    answer = browse(owner).post(reverse("letterhead"), typed(png(60, 20)))
    assert answer.status_code == 507
    assert "disk takes nothing more" in answer.content.decode()
    assert business(owner).address == ""
