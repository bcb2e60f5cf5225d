"""Addresses of the desk."""

from django.urls import path

from sales.queue import views

urlpatterns = [
    path("", views.desk, name="desk"),
    path("news/", views.news, name="news"),
    path("mine/", views.mine, name="mine"),
    path("leads/<uuid:pk>/take/", views.take, name="take"),
    path("leads/<uuid:pk>/give-back/", views.give_back, name="give-back"),
    path("leads/<uuid:pk>/call/", views.call, name="call"),
    path("leads/<uuid:pk>/next-step/", views.next_step, name="next-step"),
    path("steps/<int:pk>/done/", views.step_done, name="step-done"),
    path("steps/<int:pk>/move/", views.step_move, name="step-move"),
]
