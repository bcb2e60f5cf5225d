"""Addresses of who gets a lead."""

from django.urls import path

from funnel.overview import routing

urlpatterns = [
    path("", routing.routing, name="routing"),
    path("try/", routing.tried, name="routing-try"),
    path("add/", routing.add, name="routing-add"),
    path("<int:pk>/", routing.edit, name="routing-edit"),
    path("<int:pk>/move/", routing.move, name="routing-move"),
    path("<int:pk>/remove/", routing.remove, name="routing-remove"),
    path("teams/", routing.team_add, name="team-add"),
    path("teams/<int:pk>/", routing.team_change, name="team-change"),
    path("teams/<int:pk>/remove/", routing.team_remove, name="team-remove"),
]
