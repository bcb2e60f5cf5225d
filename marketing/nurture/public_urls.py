"""The addresses in nurture mails."""

from django.urls import path

from marketing.nurture import public

urlpatterns = [
    path("<slug:token>/", public.preferences, name="mail-preferences"),
    path("<slug:token>/<str:mark>/", public.click, name="mail-link"),
]
