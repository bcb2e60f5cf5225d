"""Addresses of what both wings share."""

from django.urls import include, path

from funnel.overview import adding, currencies, fields, handoffs, health, home, listing, rules, status

urlpatterns = [
    path("", home.home, name="home"),
    path("leads/", listing.leads, name="leads"),
    path("leads/add/", adding.add, name="lead-add"),
    path("leads/import/", include("funnel.transfer.urls")),
    path("leads/<uuid:pk>/", include("funnel.overview.lead_urls")),
    path("handoffs/", handoffs.handoffs, name="handoffs"),
    path("handoffs/go/", handoffs.handoffs_go, name="handoffs-go"),
    path("handoffs/<uuid:pk>/pass/", handoffs.handoff_pass, name="handoff-pass"),
    path("rules/", rules.rules, name="rules"),
    path("fields/", fields.fields, name="fields"),
    path("currencies/", currencies.currencies, name="currencies"),
    path("status/", status.stuck, name="stuck"),
    path("status/again/", status.again_all, name="stuck-all"),
    path("status/<int:pk>/again/", status.again, name="stuck-again"),
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
]
