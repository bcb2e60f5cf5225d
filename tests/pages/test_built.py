"""What `npm run build` leaves behind, as Django's hashed static files need it."""

import re

import pytest
from django.core.management import call_command

from tests.pages.conftest import BUILT, ROOT

pytestmark = [
    pytest.mark.once,
    pytest.mark.skipif(not (BUILT / "app.css").exists(), reason="the front end is not built"),
]


def test_the_hashed_storage_takes_every_file(settings, tmp_path):
    settings.STATIC_ROOT = tmp_path
    settings.STATICFILES_DIRS = [BUILT]
    settings.STORAGES = settings.STORAGES | {
        "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"}
    }
    call_command("collectstatic", interactive=False, verbosity=0)
    style = next(tmp_path.glob("app.*.css")).read_text()
    fonts = re.findall(r"""url\(["']?([^"')]+woff2)""", style)
    assert len(fonts) == 6
    assert all((tmp_path / font).exists() for font in fonts)


def test_nothing_built_points_elsewhere():
    for path in BUILT.rglob("*.*"):
        if path.suffix not in {".css", ".js", ".svg"}:
            continue
        text = path.read_text()
        assert "sourceMappingURL" not in text, path
        assert not re.search(r"(?:url\(|@import|import\()\s*[\"']?(?:https?:)?//", text), path


def test_the_sprite_has_every_listed_icon():
    listed = (ROOT / "assets" / "icons.txt").read_text().split()
    assert listed == sorted(set(listed))
    assert re.findall(r'<symbol id="([^"]+)"', (BUILT / "icons.svg").read_text()) == listed


def test_a_visitors_page_stays_light():
    assert (BUILT / "public.css").stat().st_size < 15_000
