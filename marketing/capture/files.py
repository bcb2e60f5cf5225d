"""The file that a form gives to whoever has sent it: a guide, a price list."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from django.conf import settings
from django.core import signing
from django.db import transaction

from marketing.capture.models import Form

MOST_BYTES = 25 * 1024 * 1024
# Whoever has sent the form may fetch the file for so long; the link that the thank-you page shows holds no name.
FETCH_WITHIN = 7 * 24 * 3600


def place(workspace_id: UUID, key: UUID) -> Path:
    """Where a form's file lies."""
    return Path(settings.MEDIA_ROOT) / "forms" / workspace_id.hex / key.hex


def keep(form: Form, uploaded: Any) -> dict[str, Any]:
    """Put an uploaded file in its place and give what the form must remember of it.

    Inside the open transaction; the former file goes when that is committed, the new one when it is taken back.
    """
    key = uuid4()
    path = place(form.workspace_id, key)
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with path.open("wb") as kept:
        for piece in uploaded.chunks():
            kept.write(piece)
    forget(form)
    return {"file_key": key, "file_name": Path(uploaded.name).name[-120:]}


def forget(form: Form) -> dict[str, Any]:
    """Let a form give nothing any more; its file goes when the open transaction is committed."""
    if form.file_key is not None:
        path = place(form.workspace_id, form.file_key)
        transaction.on_commit(lambda: path.unlink(missing_ok=True))
    return {"file_key": None, "file_name": ""}


def pass_for(form: Form) -> str:
    """A word that lets its bearer fetch this form's file for a while."""
    return signing.dumps(str(form.pk), salt="form-file", compress=False)


def lets_in(form: Form, word: str) -> bool:
    """Whether the word was given for this form, and lately."""
    try:
        return bool(signing.loads(word[:300], salt="form-file", max_age=FETCH_WITHIN) == str(form.pk))
    except signing.BadSignature:
        return False
