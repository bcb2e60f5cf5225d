"""Addresses of customers."""

from django.urls import path

from sales.customers import views

urlpatterns = [path("customers/", views.customers, name="customers")]
