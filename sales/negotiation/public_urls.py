"""The addresses of quotes for people outside."""

from django.urls import path

from sales.negotiation import public

urlpatterns = [
    path("<slug:token>/", public.quote, name="public-quote"),
    path("<slug:token>/ask/", public.ask, name="public-quote-ask"),
    path("<slug:token>/decline/", public.decline, name="public-quote-decline"),
    path("<slug:token>/pdf/", public.pdf, name="public-quote-pdf"),
]
