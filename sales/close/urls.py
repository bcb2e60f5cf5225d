"""Addresses of how deals end."""

from django.urls import path

from sales.close import views

urlpatterns = [
    path("deals/<uuid:pk>/won/", views.won, name="deal-won"),
    path("deals/<uuid:pk>/lost/", views.lost, name="deal-lost"),
    path("deals/<uuid:pk>/undo/", views.undo, name="deal-undo"),
]
