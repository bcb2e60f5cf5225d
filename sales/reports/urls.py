"""Addresses of a rep's month."""

from django.urls import path

from sales.reports import views

urlpatterns = [path("month/", views.month, name="month")]
