"""Addresses of what both wings share."""

from django.urls import include, path

from funnel.overview import adding, currencies, fields, handoffs, health, home, listing, rules, rules_change, status

urlpatterns = [
    path("", home.home, name="home"),
    path("leads/", listing.leads, name="leads"),
    path("leads/add/", adding.add, name="lead-add"),
    path("leads/import/", include("funnel.transfer.urls")),
    path("leads/<uuid:pk>/", include("funnel.overview.lead_urls")),
    path("handoffs/", handoffs.handoffs, name="handoffs"),
    path("handoffs/go/", handoffs.handoffs_go, name="handoffs-go"),
    path("handoffs/<uuid:pk>/pass/", handoffs.handoff_pass, name="handoff-pass"),
    path("handoffs/routing/", include("funnel.overview.routing_urls")),
    path("rules/", rules.rules, name="rules"),
    path("rules/grid/", rules_change.grid, name="rules-grid"),
    path("rules/lines/", rules_change.lines, name="rules-lines"),
    path("rules/sets/", rules_change.sets, name="rules-sets"),
    path("rules/try/", rules_change.tried, name="rules-try"),
    path("rules/publish/", rules_change.publish, name="rules-publish"),
    path("rules/drop/", rules_change.dropped, name="rules-drop"),
    path("rules/back/<int:pk>/", rules_change.back, name="rules-back"),
    path("rules/changed/", rules_change.changed, name="rules-changed"),
    path("rules/add/", rules_change.rule_add, name="rule-add"),
    path("rules/<slug:part>/<slug:key>/", rules_change.rule, name="rule"),
    path("rules/<slug:part>/<slug:key>/move/", rules_change.rule_move, name="rule-move"),
    path("fields/", fields.fields, name="fields"),
    path("currencies/", currencies.currencies, name="currencies"),
    path("status/", status.stuck, name="stuck"),
    path("status/again/", status.again_all, name="stuck-all"),
    path("status/<int:pk>/again/", status.again, name="stuck-again"),
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
]
