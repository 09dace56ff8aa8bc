# SPDX-License-Identifier: MIT
"""The picture's marks and colours: each peer has a colour and a shape, on light and on dark."""

from html import escape

LIGHT = {"paper": "#ffffff", "band": "#f3f4f6", "ink": "#1f2328", "quiet": "#59636e",
         "grid": "#d5d9de"}
DARK = {"paper": "#0d1117", "band": "#161b22", "ink": "#e6edf3", "quiet": "#9aa4af",
        "grid": "#30363d"}

# Each as (on light, on dark); neighbours differ in lightness as well as in hue.
COLOURS = (("#0062b1", "#58a6ff"), ("#d1570a", "#ff9350"), ("#00855a", "#3fce98"),
           ("#b8327f", "#ff7ac0"), ("#7d52c7", "#b79bff"), ("#8a6d00", "#e8c532"),
           ("#00829b", "#40d0e8"), ("#c62f2f", "#ff8078"),
           ("#7a4a2b", "#d2a27f"), ("#5c6670", "#aab4be"))

# Around (0, 0), some 9 wide.
SHAPES = ("M-4.2,0a4.2,4.2 0 1,0 8.4,0a4.2,4.2 0 1,0 -8.4,0Z",
          "M-3.8,-3.8h7.6v7.6h-7.6Z",
          "M0,-5.2L5.2,0L0,5.2L-5.2,0Z",
          "M0,-4.8L4.8,3.8H-4.8Z",
          "M0,4.8L4.8,-3.8H-4.8Z",
          "M-1.6,-4.6h3.2v3h3v3.2h-3v3h-3.2v-3h-3v-3.2h3Z",
          "M-4.6,-2.6h9.2v5.2h-9.2Z",
          "M-4.8,0L3.8,-4.8V4.8Z",
          "M4.8,0L-3.8,-4.8V4.8Z")


def mark(i, x, y, tip=""):
    """The mark of peer i, with a tip for the pointer."""
    inner = f"><title>{escape(tip)}</title></path>" if tip else "/>"
    return (f'<path class="mark p{i % len(COLOURS)}" transform="translate({x:.1f} {y:.1f})" '
            f'd="{SHAPES[i % len(SHAPES)]}"{inner}')


def style():
    """The style sheet, which follows the reader's choice of light or dark."""
    return ("text{font:12px system-ui,-apple-system,'Segoe UI','DejaVu Sans',sans-serif}"
            "text.title{font-size:17px;font-weight:600}.strong{font-weight:600}"
            + colours(LIGHT, 0)
            + "@media(prefers-color-scheme:dark){" + colours(DARK, 1) + "}")


def colours(theme, which):
    """The rules that set a theme's colours."""
    return (f".paper,.band1{{fill:{theme['paper']}}}.band0{{fill:{theme['band']}}}"
            f"text{{fill:{theme['ink']}}}text.quiet{{fill:{theme['quiet']}}}"
            f".grid{{stroke:{theme['grid']}}}.one{{stroke:{theme['ink']};stroke-width:1.5}}"
            f".mark{{stroke:{theme['paper']};stroke-width:1}}"
            + "".join(f".p{i}{{fill:{pair[which]}}}" for i, pair in enumerate(COLOURS)))
