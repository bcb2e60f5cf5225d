"""Addresses of the lead's page."""

from django.urls import path

from funnel.overview import lead_views, questions

urlpatterns = [
    path("", lead_views.lead_page, name="lead"),
    path("take/", lead_views.take, name="lead-take"),
    path("give-back/", lead_views.give_back, name="lead-give-back"),
    path("ask/", questions.ask, name="lead-ask"),
    path("note/", lead_views.note, name="lead-note"),
    path("not-a-fit/", lead_views.disqualify, name="lead-disqualify"),
    path("bring-back/", lead_views.bring_back, name="lead-bring-back"),
    path("pass/", lead_views.pass_on, name="lead-pass"),
    path("edit/", lead_views.edit, name="lead-edit"),
    path("events/<int:event>/void/", lead_views.void, name="lead-void"),
]
