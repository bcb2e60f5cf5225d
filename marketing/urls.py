"""Addresses of marketing."""

from django.urls import path

from marketing.campaigns import views as campaigns
from marketing.capture import views as capture
from marketing.channels import views as channels
from marketing.costs import views as costs
from marketing.nurture import views as nurture
from marketing.questions import views as questions
from marketing.reports import given_back
from marketing.reports import views as reports

app_name = "marketing"
urlpatterns = [
    path("", reports.home, name="home"),
    path("given-back/", given_back.given_back, name="given-back"),
    path("questions/", questions.questions, name="questions"),
    path("questions/<uuid:pk>/answer/", questions.answer, name="question-answer"),
    path("nurture/", nurture.home, name="nurture"),
    path("nurture/set-up/", nurture.set_up, name="nurture-set-up"),
    path("nurture/mails/add/", nurture.add, name="nurture-add"),
    path("nurture/mails/<int:pk>/", nurture.step, name="nurture-step"),
    path("nurture/mails/<int:pk>/remove/", nurture.remove, name="nurture-remove"),
    path("nurture/mails/<int:pk>/test/", nurture.test, name="nurture-test"),
    path("nurture/<uuid:pk>/stop/", nurture.stop, name="nurture-stop"),
    path("nurture/leads/<uuid:pk>/enroll/", nurture.enroll, name="nurture-enroll"),
    path("nurture/leads/<uuid:pk>/no-mail/", nurture.no_mail, name="nurture-no-mail"),
    path("nurture/leads/<uuid:pk>/mail-again/", nurture.mail_again, name="nurture-mail-again"),
    path("campaigns/", campaigns.campaigns, name="campaigns"),
    path("campaigns/add/", campaigns.add, name="campaign-add"),
    path("campaigns/<uuid:pk>/", campaigns.campaign, name="campaign"),
    path("campaigns/<uuid:pk>/edit/", campaigns.edit, name="campaign-edit"),
    path("forms/", capture.forms, name="forms"),
    path("forms/add/", capture.add, name="form-add"),
    path("forms/<uuid:pk>/", capture.form, name="form"),
    path("forms/<uuid:pk>/qr.svg", capture.qr, name="form-qr"),
    path("forms/<uuid:pk>/shared/", capture.shared, name="form-shared"),
    path("forms/<uuid:pk>/submissions/", capture.submissions, name="form-submissions"),
    path("submissions/<uuid:pk>/release/", capture.release, name="submission-release"),
    path("money/", costs.money, name="money"),
    path("money/costs/add/", costs.add, name="cost-add"),
    path("money/costs/<uuid:pk>/back/", costs.back, name="cost-back"),
    path("sources/", channels.sources, name="sources"),
    path("sources/<int:pk>/", channels.settle, name="source"),
]
