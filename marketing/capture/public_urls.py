"""The addresses of forms for people outside."""

from django.urls import path

from marketing.capture import public

urlpatterns = [
    path("frame.js", public.frame_script, name="public-frame-script"),
    path("<slug:token>/", public.form, name="public-form"),
    path("<slug:token>/thanks/", public.thanks, name="public-thanks"),
    path("<slug:token>/file/", public.file, name="public-file"),
    path("<slug:token>/frame/", public.form, {"framed": True}, name="public-frame"),
    path("<slug:token>/frame/thanks/", public.thanks, {"framed": True}, name="public-frame-thanks"),
]
