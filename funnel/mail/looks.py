"""How a letter looks. Mail programs read style attributes only, and templates must hold none (a page's policy forbids
them), so the letters take theirs from here."""

from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

FONT = "-apple-system,BlinkMacSystemFont,'Segoe UI',Roboto,Helvetica,Arial,sans-serif"
STYLES = {
    "ground": "margin:0;padding:24px 0;background:#f6f6f3;-webkit-text-size-adjust:100%;",
    "page": f"max-width:600px;margin:0 auto;background:#ffffff;color:#1c1d21;font-family:{FONT};font-size:16px;"
    "line-height:24px;border-top:6px solid #5a5fdd;",
    "pad": "padding:28px 40px 36px;",
    "word": "margin:0 0 24px;font-size:16px;line-height:28px;font-weight:600;",
    "h1": "margin:0 0 8px;font-size:26px;line-height:32px;font-weight:600;letter-spacing:-0.3px;",
    "h2": "margin:32px 0 8px;font-size:17px;line-height:24px;font-weight:600;",
    "p": "margin:0 0 16px;font-size:16px;line-height:24px;",
    "line": "margin:0 0 4px;font-size:16px;line-height:24px;",
    "quiet": "margin:0 0 16px;font-size:16px;line-height:24px;color:#50525a;",
    "box": "margin:24px 0;padding:20px 24px;background:#f0f0fc;border-left:4px solid #5a5fdd;",
    "box_head": "margin:0 0 6px;font-size:14px;line-height:20px;font-weight:600;",
    "box_say": "margin:0;font-size:18px;line-height:27px;",
    "list": "margin:0;padding:0 0 0 22px;font-size:16px;line-height:26px;",
    "table": "width:100%;border-collapse:collapse;font-variant-numeric:tabular-nums;",
    "th": "padding:0 0 8px;font-size:13px;line-height:18px;font-weight:400;color:#50525a;"
    "border-bottom:1px solid #e3e1db;vertical-align:bottom;",
    "row": "padding:10px 0;font-size:15px;line-height:21px;font-weight:400;border-bottom:1px solid #e3e1db;"
    "vertical-align:top;",
    "small": "font-size:13px;line-height:18px;font-weight:400;color:#50525a;",
    "button": "display:inline-block;padding:13px 24px;font-size:16px;line-height:22px;font-weight:600;color:#ffffff;"
    "background:#4549bd;border:1px solid #4549bd;border-radius:8px;text-decoration:none;",
    "link": "color:#1c1d21;",
    "foot": f"max-width:600px;margin:0 auto;padding:20px 40px;font-family:{FONT};font-size:13px;line-height:20px;"
    "color:#5d5f66;",
    "foot_say": "margin:0;",
}
# What depends on the reader's screen can't be an attribute.
SCREENS = """<style>
@media (prefers-color-scheme: dark) {
  .m-ground { background: #131417 !important; } .m-page { background: #1a1b1f !important; color: #eeeeec !important; }
  .m-quiet, .m-foot, .m-th, .m-small { color: #babbc1 !important; } .m-box { background: #23243d !important; }
  .m-th, .m-row { border-color: #33353b !important; }
  .m-page a:not(.m-button) { color: #eeeeec !important; }
}
@media (max-width: 480px) {
  .m-pad { padding: 24px 20px !important; } .m-button { display: block !important; text-align: center !important; }
}
</style>"""


# A letter to a person outside wears the business's own colour; a dark one has white words, a bright one black ones.
BRAND = "#4549bd"
OUTSIDE_SCREENS = """<style>
@media (prefers-color-scheme: dark) {
  .m-ground { background: #131417 !important; } .m-page { background: #1a1b1f !important; color: #eeeeec !important; }
  .m-quiet, .m-foot { color: #babbc1 !important; } .m-line, .m-sign { border-color: #33353b !important; }
  .m-page a:not(.m-button) { color: #eeeeec !important; }
}
@media (max-width: 480px) {
  .m-pad { padding: 24px 20px !important; } .m-button { display: block !important; text-align: center !important; }
}
</style>"""


def looks() -> dict[str, SafeString]:
    """Per part its class and style, ready to stand in a tag."""
    return _parts(STYLES, SCREENS)


def outside_looks(brand: str = BRAND) -> dict[str, SafeString]:
    """The same for a letter to a person outside, in the business's colour."""
    fill, on, edge = colours(brand)
    line = "margin:28px 0 0;padding:24px 0 0;border-top:1px solid #e3e1db;"
    styles = STYLES | {
        "page": STYLES["page"].replace("#5a5fdd", edge),
        "word": "margin:0 0 28px;font-size:20px;line-height:28px;font-weight:600;",
        "line": line,
        "more": "margin:24px 0;font-size:16px;line-height:24px;",
        "note": "margin:0;font-size:14px;line-height:21px;color:#50525a;",
        "title": "margin:2px 0 12px;font-size:24px;line-height:30px;font-weight:600;letter-spacing:-0.3px;",
        "fact": "margin:0;font-size:17px;line-height:26px;",
        "button": STYLES["button"].replace("#ffffff", on).replace("background:#4549bd", f"background:{fill}")
        .replace("#4549bd", edge),
        "sign": line.replace("24px 0 0", "20px 0 0") + "font-size:15px;line-height:23px;",
        "hidden": "display:none;max-height:0;overflow:hidden;mso-hide:all;",
    }  # fmt: skip
    return _parts(styles, OUTSIDE_SCREENS)


def _parts(styles: dict[str, str], screens: str) -> dict[str, SafeString]:
    parts = {name: format_html('class="m-{}" style="{}"', name.replace("_", "-"), css) for name, css in styles.items()}
    return parts | {"screens": mark_safe(screens)}  # noqa: S308 (our own text)


def colours(brand: str) -> tuple[str, str, str]:
    """Fill, the text on it, and edge of a brand colour "#rrggbb", by the rules of public.css.

    A middling colour is deepened until white words can be read on it, an edge until it stands out from white.
    """
    parts = [_linear(int(brand[place : place + 2], 16) / 255) for place in (1, 3, 5)]
    light = _luminance(parts)
    deepened = [one * (min(1, 0.175 / light) if 0 < light < 0.33 else 1) for one in parts]
    edge = [one * (min(1, 0.25 / light) if light else 1) for one in parts]
    on = "#ffffff" if _luminance(deepened) < 0.18 else "#000000"
    return _hex(deepened), on, _hex(edge)


def _luminance(parts: list[float]) -> float:
    red, green, blue = parts
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(part: float) -> float:
    return part / 12.92 if part <= 0.04045 else float(((part + 0.055) / 1.055) ** 2.4)


def _hex(parts: list[float]) -> str:
    shown = [one * 12.92 if one <= 0.0031308 else 1.055 * one ** (1 / 2.4) - 0.055 for one in parts]
    return "#" + "".join(f"{round(min(max(one, 0), 1) * 255):02x}" for one in shown)
