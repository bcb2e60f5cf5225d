"""Addresses of demos."""

from django.urls import path

from sales.demos import views

urlpatterns = [
    path("demos/", views.demos, name="demos"),
    path("booking/", views.booking_page, name="booking"),
    path("leads/<uuid:pk>/demo/", views.book, name="demo-book"),
    path("demos/<uuid:pk>/move/", views.move, name="demo-move"),
    path("demos/<uuid:pk>/cancel/", views.cancel, name="demo-cancel"),
    path("demos/<uuid:pk>/held/", views.held, name="demo-held"),
    path("demos/<uuid:pk>/missed/", views.missed, name="demo-missed"),
]
