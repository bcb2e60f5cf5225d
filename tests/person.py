"""Somebody at a running installation who needs no browser."""

from __future__ import annotations

import re
import secrets
from http.cookiejar import CookieJar
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, Request, build_opener

from tests.stack import PASSWORD, Stack


class Person:
    """Somebody who has logged in and fills in forms, without a browser."""

    def __init__(self, stack: Stack, email: str) -> None:
        self.url, self.opener = stack.url, build_opener(HTTPCookieProcessor(CookieJar()))
        self.post("/accounts/login/", {"login": email, "password": PASSWORD})

    def get(self, path: str) -> str:
        return str(self.opener.open(self.url + path, timeout=60).read().decode())

    def post(self, path: str, fields: dict[str, str], file: tuple[str, bytes] | None = None, page: str = "") -> str:
        """POST a form with the token of its page; give the address to which it leads."""
        token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', self.get(page or path))
        assert token
        fields = {**fields, "csrfmiddlewaretoken": token[1]}
        body, kind = urlencode(fields).encode(), "application/x-www-form-urlencoded"
        if file:
            edge = secrets.token_hex(8)
            parts = [
                f'--{edge}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{text}\r\n'.encode()
                for name, text in fields.items()
            ]
            head = f'--{edge}\r\nContent-Disposition: form-data; name="file"; filename="{file[0]}"\r\n\r\n'.encode()
            body, kind = (
                b"".join([*parts, head, file[1], f"\r\n--{edge}--\r\n".encode()]),
                f"multipart/form-data; boundary={edge}",
            )
        asked = Request(self.url + path, body, {"Content-Type": kind, "Referer": self.url + path})
        return str(self.opener.open(asked, timeout=60).geturl()).removeprefix(self.url)
