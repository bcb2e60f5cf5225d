"""The parts of a page, each drawn alone."""

import re

import pytest
from django import forms
from django.conf import settings

pytestmark = pytest.mark.once


class LeadForm(forms.Form):
    name = forms.CharField(label="Name", required=False)
    phone = forms.RegexField(r"^\d{11}$", label="Phone", error_messages={"invalid": "This number has too few digits."})
    hours = forms.IntegerField(label="Take within", help_text="<b>working</b> hours")
    role = forms.ChoiceField(choices=[("a", "Owner"), ("b", "Rep")])
    why = forms.ChoiceField(choices=[("a", "Not now"), ("b", "Not a fit")], widget=forms.RadioSelect)
    mail = forms.BooleanField(label="May get e-mail", required=False)
    page = forms.CharField(widget=forms.HiddenInput, required=False)


WRONG = {"name": "J", "phone": "0163", "hours": "8", "role": "a", "mail": "on"}


def test_an_icon_points_into_the_sprite(draw):
    assert '<use href="/static/icons.svg#phone"/>' in draw('{% icon "phone" %}')


@pytest.mark.parametrize(
    ("stage", "hue", "at"),
    [("new", "c", 5), ("nurturing", "c", 17), ("ready", "i", 31), ("working", "t", 43), ("customer", "t", 71)],
)
def test_the_baton_stands_where_the_lead_is(draw, stage, hue, at):
    line = draw("{% baton_line stage %}", stage=stage)
    assert f'class="at-{hue}" x="{at - 2.5}"' in line
    assert 'aria-hidden="true"' in line


def test_a_lost_lead_is_with_marketing_again_and_a_non_lead_nowhere(draw):
    assert 'class="at-c"' in draw('{% baton_line "lost" %}')
    assert "<rect" not in draw('{% baton_line "disqualified" %}')


@pytest.mark.parametrize(
    ("left", "state", "said"),
    [
        (398, "clock is-calm", "6 h 38 min"),
        (143, "clock", "2 h 23 min"),
        (25, "clock is-soon", "25 min"),
        (-92, "clock is-late", "1 h 32 min late"),
    ],
)
def test_the_clock_says_its_state_in_words_first(draw, left, state, said):
    drawn = draw("{% clock left %}{% burn left %}", left=left).replace("\N{NO-BREAK SPACE}", " ")
    assert f'<span class="{state}">' in drawn
    assert said in drawn
    assert ("All 8 working hours used" if left < 0 else f"{said} of 8 working hours left") in drawn


def test_a_lead_without_a_clock_shows_none(draw):
    assert draw("{% clock None %}{% burn None %}") == ""


def test_both_scores_are_read_out(draw):
    assert 'aria-label="Fit A, engagement 3 of 4"' in draw('{% grade "A" 3 %}')
    assert "engagement not known yet" in draw("{% grade None None %}")


def test_what_is_missing_is_a_dash_and_nought_is_nought(draw):
    assert draw("{{ a|day }}{{ a|dash }}{{ a|number }}{% moment a %}", a=None) == "––––"
    assert draw("{{ 0|dash }}{{ 0|number }}") == "00"


def test_words_of_a_person_are_never_markup(draw):
    evil = "<img src=x onerror=alert(1)>"
    drawn = draw(
        "{% pagehead t t %}{% endpagehead %}{% avatar t 'lg' %}{% grade t t %}{% notice t %}{% endnotice %}"
        "{% blank t t %}{% endblank %}{% sheet 'x' t %}{% endsheet %}{% opens t %}{% endopens %}"
        "{% section_head t %}{% endsection_head %}{% clock 5 text=t %}",
        t=evil,
    )
    assert "<img" not in drawn


def test_a_field_carries_its_label_hint_and_error(draw):
    drawn = draw("{% field form.phone %}{% field form.hours optional=True %}", form=LeadForm(WRONG))
    assert '<label class="form-label" for="id_phone">Phone</label>' in drawn
    control = re.search(r'<input[^>]*name="phone"[^>]*>', drawn)[0]
    assert 'class="form-control is-invalid"' in control
    assert 'aria-invalid="true"' in control
    assert 'aria-describedby="id_phone_error"' in control
    assert 'id="id_phone_error">This number has too few digits.' in drawn
    assert 'aria-describedby="id_hours_helptext"' in drawn
    assert "&lt;b&gt;working&lt;/b&gt; hours" in drawn
    assert "(optional)" not in drawn


def test_choices_are_a_group_with_a_legend(draw):
    drawn = draw("{% field form.why %}", form=LeadForm(WRONG | {"why": "b"}))
    assert '<legend class="form-label">Why</legend>' in drawn
    assert re.search(r'value="b" id="id_why_1" checked required><label[^>]*for="id_why_1">Not a fit', drawn)


def test_a_field_that_the_form_has_not_draws_nothing(draw):
    assert draw("{% field form.nope %}{% public_field form.nope %}", form=LeadForm()).strip() == ""


def test_errors_are_listed_with_links_and_take_the_focus(draw):
    drawn = draw("{% error_summary form %}", form=LeadForm(WRONG))
    assert "2 things to put right" in drawn
    assert '<a href="#id_phone">Phone: This number has too few digits.</a>' in drawn
    assert '<a href="#id_why">Why: This is missing.</a>' in drawn
    assert 'tabindex="-1" autofocus' in drawn
    assert draw("{% error_summary form %}", form=LeadForm()).strip() == ""


def test_a_visitors_field_says_when_it_is_optional(draw):
    drawn = draw(
        "{% public_field form.name %}{% public_field form.phone %}{% public_field form.mail %}", form=LeadForm()
    )
    assert 'Name <span class="opt">(optional)</span>' in drawn
    assert "Phone</label>" in drawn
    assert re.search(r'<label class="tick"><input type="checkbox"[^>]*> <span>May get e-mail', drawn)


def test_more_rows_come_by_a_link_that_works_without_script(draw):
    drawn = draw(
        '{% include "components/more.html" with rows="leads" next_url="/leads/?after=x" coming=20 shown=1200 %}'
    )
    assert 'href="/leads/?after=x"' in drawn
    assert "Show 20 more" in drawn
    assert "1,200 shown" in drawn
    assert ">Show more</a>" in draw('{% include "components/more.html" with rows="leads" next_url="/leads/?after=x" %}')
    assert "<a" not in draw('{% include "components/more.html" with rows="leads" next_url=None %}')


def test_the_way_marks_where_the_lead_is(draw):
    legs = [
        {"side": "marketing", "holder": "Marketing", "note": "3 hours", "stops": [{"label": "New", "state": "done"}]},
        {"side": "hall", "holder": "Waits for Hannah", "stops": [{"label": "Ready for sales", "state": "now"}]},
        {
            "side": "sales",
            "note": "Sales",
            "ahead": True,
            "stops": [{"label": "Customer", "state": "ahead", "count": 0}],
        },
    ]
    drawn = draw('{% include "components/way.html" %}', legs=legs)
    assert 'class="leg has-now" data-side="hall"' in drawn
    assert drawn.count('class="held"') == 1
    assert 'aria-current="step"' in drawn
    assert '<span class="figure">0</span>Customer' in drawn


def test_a_field_that_looks_refused_says_so_to_who_does_not_see_it():
    for page in (settings.BASE_DIR / "templates").rglob("*.html"):
        for tag in re.findall(r"<(?:input|select|textarea)\b(?:\{%.*?%\}|[^>])*>", page.read_text()):
            assert ("is-invalid" in tag) <= ("aria-invalid" in tag), f"{page.name}: {tag}"
