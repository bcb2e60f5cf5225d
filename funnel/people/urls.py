"""Addresses of the business and its people. Of allauth's pages only those that are used here have one."""

from django.urls import path

from funnel.people import door

urlpatterns = [
    path("accounts/login/", door.login, name="account_login"),
    path("accounts/logout/", door.logout, name="account_logout"),
    path("accounts/signup/", door.signup, name="account_signup"),
    path("accounts/inactive/", door.inactive, name="account_inactive"),
    path("accounts/password/", door.password_reset, name="account_reset_password"),
    path("accounts/password/sent/", door.password_reset_done, name="account_reset_password_done"),
    path("accounts/password/saved/", door.password_from_key_done, name="account_reset_password_from_key_done"),
    path("password/<uidb36>/<key>/", door.password_from_key, name="account_reset_password_from_key"),
    path("start/", door.start, name="start"),
    path("switch/<uuid:pk>/", door.switch, name="switch"),
]
