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
  .m-quiet, .m-foot { color: #babbc1 !important; } .m-box { background: #23243d !important; }
  .m-page a:not(.m-button) { color: #eeeeec !important; }
}
@media (max-width: 480px) {
  .m-pad { padding: 24px 20px !important; } .m-button { display: block !important; text-align: center !important; }
}
</style>"""


def looks() -> dict[str, SafeString]:
    """Per part its class and style, ready to stand in a tag."""
    parts = {name: format_html('class="m-{}" style="{}"', name.replace("_", "-"), css) for name, css in STYLES.items()}
    return parts | {"screens": mark_safe(SCREENS)}  # noqa: S308 (our own text)
