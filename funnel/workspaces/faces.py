"""What a business shows of itself to people outside: on its public pages and in its letters."""

from __future__ import annotations

from typing import Any

from django.urls import reverse

from funnel.workspaces.models import Workspace


def logo_path(workspace: Workspace) -> str:
    """Where the logo is served; blank without one."""
    return reverse("logo", args=[workspace.pk, workspace.logo]) if workspace.logo else ""


def face_of(workspace: Workspace) -> dict[str, Any]:
    """Name, logo, colour and address for templates/public/base.html."""
    lines = [line.strip() for line in workspace.address.splitlines() if line.strip()]
    return {
        "name": workspace.name,
        "logo_url": logo_path(workspace),
        "brand_css": reverse("brand", args=[workspace.brand[1:]]) if workspace.brand else "",
        "address": ", ".join(lines),
        "tax_number": workspace.tax_number,
    }
