"""Addresses of the board and of deals."""

from django.urls import path

from sales.deals import views

urlpatterns = [
    path("board/", views.board, name="board"),
    path("deals/", views.ended, name="deals"),
    path("deals/add/", views.add, name="deal-add"),
    path("deals/<uuid:pk>/", views.deal, name="deal"),
    path("deals/<uuid:pk>/edit/", views.edit, name="deal-edit"),
    path("deals/<uuid:pk>/move/", views.move, name="deal-move"),
    path("leads/<uuid:pk>/deal/", views.open_with, name="deal-open"),
]
