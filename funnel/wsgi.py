"""The web process."""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "funnel.settings")
# A page gives up on the write lock after a second and says so; the worker waits.
os.environ.setdefault("SQLITE_TIMEOUT", "1")

from django.core.wsgi import get_wsgi_application

application = get_wsgi_application()
