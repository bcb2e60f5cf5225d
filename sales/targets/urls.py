"""The address of the targets."""

from django.urls import path

from sales.targets import views

urlpatterns = [path("targets/", views.targets, name="targets")]
