"""Addresses of marketing."""

from django.urls import path

from marketing.campaigns import views as campaigns
from marketing.capture import views as capture
from marketing.channels import views as channels
from marketing.costs import views as costs
from marketing.reports import views as reports

app_name = "marketing"
urlpatterns = [
    path("", reports.home, name="home"),
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
