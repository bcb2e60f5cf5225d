"""Take files that somebody sends: straight to the disk where they will lie, and only up to a limit."""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.core.files.uploadedfile import TemporaryUploadedFile, UploadedFile
from django.core.files.uploadhandler import TemporaryFileUploadHandler

from funnel.workspaces.roles import may

# Whoever brings in no lists sends no big files, least of all somebody who hasn't logged in.
SMALL = 5 * 1024 * 1024


class Kept(TemporaryUploadedFile):
    """A file on the disk where it will lie, so that a move is enough; `digest` is its SHA-256."""

    digest = ""

    def __init__(self, name: str | None, content_type: str | None, charset: str | None, extra: Any) -> None:
        folder = Path(settings.MEDIA_ROOT) / "coming"
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        file = tempfile.NamedTemporaryFile(dir=folder)  # noqa: SIM115
        UploadedFile.__init__(self, file, name, content_type, 0, charset, extra)


class OnDisk(TemporaryFileUploadHandler):
    """Writes each file to the disk as it comes."""

    file: Kept
    taken = 0

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        """Begin a file."""
        super(TemporaryFileUploadHandler, self).new_file(*args, **kwargs)
        self.file = Kept(self.file_name, self.content_type, self.charset, self.content_type_extra)
        self.sum = hashlib.sha256()

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        """Take a piece; what goes beyond the limit ends the request."""
        self.taken += len(raw_data)
        if self.taken > (settings.UPLOAD_LIMIT if may(getattr(self.request, "member", None), "import") else SMALL):
            self.file.close()
            raise RequestDataTooBig("The files are bigger than they may be.")
        self.sum.update(raw_data)
        self.file.write(raw_data)

    def file_complete(self, file_size: int) -> Any:
        """Give the file with its digest."""
        self.file.digest = self.sum.hexdigest()
        return super().file_complete(file_size)
