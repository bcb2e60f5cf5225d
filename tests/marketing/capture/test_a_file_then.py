"""A form gives a file to whoever has sent it, and to nobody else."""

from pathlib import Path

from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from marketing.capture.models import Form

TYPED = {"name": "Ann Bell", "email": "ann@bell.example"}


def give(browse, member, form, **more):
    """Save the form as its editor shows it, with a file."""
    page = browse(member)
    asked = {
        "name": form.name, "title": form.title, "button": form.button, "purpose": form.purpose, "thanks": "Thank you.",
        "is_open": "on", "question": ["name", "email"], "label-name": "Your name", "label-email": "E-mail",
    }  # fmt: skip
    return page.post(reverse("marketing:form", args=[form.pk]), asked | more)


def kept():
    return [one for one in (Path(settings.MEDIA_ROOT) / "forms").rglob("*") if one.is_file()]


def test_who_sends_the_form_gets_the_file_and_nobody_else(
    form, visitor, browse, marketer, gate, django_capture_on_commit_callbacks
):
    before = set(kept())
    guide = SimpleUploadedFile("../../What a roof costs.pdf", b"%PDF-1.7 twelve pages", "text/html")
    assert give(browse, marketer, form, file=guide).status_code == 302
    sent = visitor.post(form.path, TYPED)
    assert sent.status_code == 303
    thanks = visitor.get(sent["Location"]).content.decode()
    link = thanks.partition('href="' + form.path + "file/")[2].partition('"')[0]
    fetched = visitor.get(f"{form.path}file/{link}".replace("&amp;", "&"))
    assert b"".join(fetched.streaming_content) == b"%PDF-1.7 twelve pages"
    assert fetched["Content-Disposition"] == 'attachment; filename="What a roof costs.pdf"'
    assert fetched["X-Content-Type-Options"] == "nosniff"
    assert visitor.get(f"{form.path}file/").status_code == 404
    assert visitor.get(f"{form.path}file/?got=made-up").status_code == 404
    assert "Download" not in visitor.get(f"{form.path}thanks/").content.decode()

    with django_capture_on_commit_callbacks(execute=True):
        assert give(browse, marketer, form, no_file="on").status_code == 302
    with gate(marketer):
        assert Form.objects.get(pk=form.pk).file_name == ""
    assert set(kept()) == before, "the file has gone with the promise"
    assert visitor.get(f"{form.path}file/{link}".replace("&amp;", "&")).status_code == 404


def test_a_file_that_no_phone_would_fetch_is_refused(form, browse, marketer, gate, monkeypatch):
    monkeypatch.setattr("marketing.capture.forms.MOST_BYTES", 10)
    answer = give(browse, marketer, form, file=SimpleUploadedFile("big.pdf", b"0" * 11))
    assert answer.status_code == 422
    assert "bigger than 25 MB" in answer.content.decode()
    with gate(marketer):
        assert Form.objects.get(pk=form.pk).file_key is None
