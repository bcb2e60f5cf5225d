"""Addresses of quotes and of the price list."""

from django.urls import path

from sales.negotiation import products, views

urlpatterns = [
    path("quotes/", views.quotes, name="quotes"),
    path("quotes/<uuid:pk>/", views.quote, name="quote"),
    path("quotes/<uuid:pk>/write/", views.write, name="quote-write"),
    path("quotes/<uuid:pk>/send/", views.send, name="quote-send"),
    path("quotes/<uuid:pk>/change/", views.change, name="quote-change"),
    path("quotes/<uuid:pk>/withdraw/", views.withdraw, name="quote-withdraw"),
    path("quotes/<uuid:pk>/discard/", views.discard, name="quote-discard"),
    path("quotes/<uuid:pk>/pdf/", views.pdf, name="quote-pdf"),
    path("deals/<uuid:pk>/quote/", views.add, name="quote-add"),
    path("leads/<uuid:pk>/quote/", views.add_with, name="quote-with"),
    path("products/", products.products, name="products"),
    path("products/add/", products.add, name="product-add"),
    path("products/<uuid:pk>/", products.product, name="product"),
    path("products/<uuid:pk>/archive/", products.archive, name="product-archive"),
]
