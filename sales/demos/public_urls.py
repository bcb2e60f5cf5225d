"""Addresses of meetings for people outside."""

from django.urls import path

from sales.demos import meeting, public

urlpatterns = [
    path("b/<slug:token>/", public.booking, name="booking"),
    path("b/<slug:token>/confirm/", public.confirm, name="booking-confirm"),
    path("m/<slug:token>/", meeting.meeting, name="meeting"),
    path("m/<slug:token>/times/", public.times, name="meeting-times"),
    path("m/<slug:token>/confirm/", public.confirm_again, name="meeting-confirm"),
    path("m/<slug:token>/cancel/", meeting.cancel, name="meeting-cancel"),
    path("m/<slug:token>/meeting.ics", meeting.calendar, name="meeting-calendar"),
]
