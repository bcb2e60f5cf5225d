"""The address that qualifies."""

from django.urls import path

from sales.qualification import views

urlpatterns = [path("leads/<uuid:pk>/qualify/", views.qualify, name="qualify")]
