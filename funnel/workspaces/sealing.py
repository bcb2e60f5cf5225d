"""Secrets of other systems that Baton must be able to use again: sealed with the installation's key, never shown."""

from __future__ import annotations

from base64 import urlsafe_b64encode

from cryptography.fernet import Fernet, InvalidToken
from django.utils.crypto import salted_hmac


def _fernet(purpose: str) -> Fernet:
    key = salted_hmac(f"seal:{purpose}", "key", algorithm="sha256").digest()
    return Fernet(urlsafe_b64encode(key))


def seal(secret: str, purpose: str) -> str:
    """Seal a secret for one purpose."""
    return _fernet(purpose).encrypt(secret.encode()).decode()


def unseal(sealed: str, purpose: str) -> str | None:
    """Open it again; None where SECRET_KEY has changed since, so that it must be typed anew."""
    try:
        return _fernet(purpose).decrypt(sealed.encode()).decode()
    except InvalidToken:
        return None
