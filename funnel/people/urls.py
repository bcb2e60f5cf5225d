"""Addresses of the business and its people. Of allauth's pages only those that are used here have one."""

from django.urls import path

from funnel.mail import views as mail
from funnel.people import away_views as away
from funnel.people import business, door, joining, letterhead, myself, programs, views

urlpatterns = [
    path("accounts/login/", door.login, name="account_login"),
    path("accounts/logout/", door.logout, name="account_logout"),
    path("accounts/signup/", door.signup, name="account_signup"),
    path("accounts/inactive/", door.inactive, name="account_inactive"),
    path("accounts/password/", door.password_reset, name="account_reset_password"),
    path("accounts/password/sent/", door.password_reset_done, name="account_reset_password_done"),
    path("accounts/password/saved/", door.password_from_key_done, name="account_reset_password_from_key_done"),
    path("password/<uidb36>/<key>/", door.password_from_key, name="account_reset_password_from_key"),
    path("join/<token>/", joining.join, name="join"),
    path("start/", door.start, name="start"),
    path("switch/<uuid:pk>/", door.switch, name="switch"),
    path("me/", myself.me, name="me"),
    path("me/log-out/", myself.log_out_everywhere, name="me-logout"),
    path("people/", views.people_page, name="people"),
    path("people/time-off/", views.add_time_off, name="time-off-add"),
    path("time-off/<uuid:pk>/take-back/", away.remove_time_off, name="time-off-remove"),
    path("people/<uuid:pk>/days/", away.working_days, name="working-days"),
    path("holidays/", away.holidays, name="holidays"),
    path("holidays/<slug:day>/take-back/", away.reopen, name="holiday-remove"),
    path("people/invite/", views.invite, name="invite"),
    path("people/invitations/<uuid:pk>/take-back/", views.withdraw, name="invitation-withdraw"),
    path("people/<uuid:pk>/remove/", views.remove, name="member-remove"),
    path("people/<uuid:pk>/log-out/", views.log_out, name="member-logout"),
    path("people/<uuid:pk>/password/", views.password, name="member-password"),
    path("keys/", programs.keys_page, name="keys"),
    path("keys/<uuid:pk>/revoke/", programs.revoke, name="key-revoke"),
    path("business/", business.business, name="business"),
    path("business/letterhead/", business.letterhead, name="letterhead"),
    path("business/mail-server/", business.mail_server, name="mail-server"),
    path("business/test-mail/", business.mail_test, name="mail-test"),
    path("brand/<str:colour>.css", letterhead.brand, name="brand"),
    path("logo/<uuid:pk>/<str:name>", letterhead.logo, name="logo"),
    path("mailbox/", mail.mailbox, name="mailbox"),
    path("mailbox/<uuid:pk>/files/<int:place>/", mail.letter_file, name="letter-file"),
    path("mailbox/<uuid:pk>/again/", mail.again, name="letter-again"),
]
