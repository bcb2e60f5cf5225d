"""The ways to a form: a link, plain HTML, a frame, a QR code."""

from __future__ import annotations

import io

import segno
from django.conf import settings
from django.urls import reverse
from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe

from marketing.capture.models import Form
from marketing.capture.page import questions_on_page


def address(form: Form) -> str:
    """Where visitors find the form."""
    return f"{settings.PUBLIC_URL}{form.path}"


def snippet(form: Form) -> str:
    """The form as plain HTML for the business's own page."""
    lines = [f'<form method="post" action="{escape(address(form))}">']
    for row in questions_on_page(form, {}, {}):
        name, label = escape(row["name"]), escape(row["label"])
        need = " required" if row["required"] else ""
        if row["choices"]:
            options = "".join(f"<option>{escape(choice)}</option>" for choice in row["choices"])
            lines.append(f'  <label>{label} <select name="{name}"{need}><option></option>{options}</select></label>')
        elif row["control"] == "textarea":
            lines.append(f'  <label>{label} <textarea name="{name}"{need}></textarea></label>')
        else:
            kind = "" if row["control"] == "text" else f' type="{row["control"]}"'
            lines.append(f'  <label>{label} <input name="{name}"{kind}{need}></label>')
    if form.consent_text:
        lines.append(f'  <label><input type="checkbox" name="consent" value="yes"> {escape(form.consent_text)}</label>')
    return "\n".join([*lines, f"  <button>{escape(form.button)}</button>", "</form>"])


def height_of(form: Form) -> int:
    """How high a frame is until its script says better: on a phone, where each question has a line of its own."""
    return 330 + 105 * len(form.questions) + 56 * len(form.interests)


def frame(form: Form) -> str:
    """The form as a frame, in the business's own look, and the script that keeps it as high as what is in it."""
    height, script = height_of(form), f"{settings.PUBLIC_URL}{reverse('public-frame-script')}"
    src, title = escape(f"{address(form)}frame/"), escape(form.title)
    around = f'<iframe src="{src}" title="{title}" width="100%" height="{height}" frameborder="0"></iframe>'
    return f'{around}<script src="{escape(script)}" async></script>'


def qr_code(form: Form) -> SafeString:
    """The form's address as a QR code for the page; black on white, or phones don't read it in the dark."""
    code = segno.make(address(form), error="m", micro=False)
    drawn = code.svg_inline(border=4, omitsize=True, svgclass="qr", lineclass=None, light="#fff", title="QR code")
    return mark_safe(drawn)  # noqa: S308 - drawn from our own address


def qr_file(form: Form) -> bytes:
    """The same as a file for print."""
    out = io.BytesIO()
    segno.make(address(form), error="m", micro=False).save(out, kind="svg", border=4, scale=10, light="#fff")
    return out.getvalue()
