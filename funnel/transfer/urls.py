"""Addresses of the lists that are brought in."""

from django.urls import path

from funnel.transfer import views

urlpatterns = [
    path("", views.imports, name="imports"),
    path("<uuid:pk>/", views.import_page, name="import"),
    path("<uuid:pk>/columns/", views.import_columns, name="import-columns"),
    path("<uuid:pk>/read/", views.import_read, name="import-read"),
    path("<uuid:pk>/begin/", views.import_begin, name="import-begin"),
    path("<uuid:pk>/change/", views.import_act, {"verb": "change"}, name="import-change"),
    path("<uuid:pk>/stop/", views.import_act, {"verb": "stop"}, name="import-stop"),
    path("<uuid:pk>/go-on/", views.import_act, {"verb": "go-on"}, name="import-go-on"),
    path("<uuid:pk>/leave/", views.import_act, {"verb": "leave"}, name="import-leave"),
    path("<uuid:pk>/remove/", views.import_remove, name="import-remove"),
    path("<uuid:pk>/refused.csv", views.import_refused, name="import-refused"),
]
