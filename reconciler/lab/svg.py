"""A schedule as a picture: a lane for each transaction, time downwards, a box for each turn, a mark where somebody waits.

Pure: a case in, SVG text out. No script, no font of its own, no colour that a reader needs to tell what is meant.
"""

from __future__ import annotations

from html import escape

from reconciler.lab.report import Case

_LANE, _ROW, _TOP, _LEFT = 360, 34, 56, 48
_WORDS = 50


def svg(case: Case) -> str:
    """A document; empty where the case has no schedule to show."""
    if not case.turns:
        return ""
    lanes = len(case.actors)
    width, height = _LEFT + lanes * _LANE + 16, _TOP + (len(case.turns) + 1) * _ROW + 24
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
        ' font-family="monospace" font-size="11" role="img">',
        f"<title>{escape(f'{case.key}: {case.says}')}</title>",
        f'<rect width="{width}" height="{height}" fill="white"/>',
    ]
    for number, actor in enumerate(case.actors):
        x = _LEFT + number * _LANE
        parts.append(_text(x + 8, 24, f"{number + 1} {actor}", bold=True))
        end = height - 24
        parts.append(f'<line x1="{x + 4}" y1="{_TOP - 18}" x2="{x + 4}" y2="{end}" stroke="#888"/>')
    for row, turn in enumerate(case.turns):
        x, y = _LEFT + turn.actor * _LANE, _TOP + row * _ROW
        waits = turn.then == "blocked"
        fill, dashes = ("#fff3d6", ' stroke-dasharray="4 3"') if waits else ("#eef3fb", "")
        parts.append(_text(8, y + 16, str(row + 1)))
        size = f'width="{_LANE - 20}" height="{_ROW - 8}"'
        parts.append(f'<rect x="{x + 8}" y="{y}" {size} fill="{fill}" stroke="#444"{dashes}/>')
        parts.append(_text(x + 14, y + 17, turn.began + (" … waits" if waits else "")))
    for number, end_ in enumerate(case.ends):
        y = _TOP + len(case.turns) * _ROW + 16
        parts.append(_text(_LEFT + number * _LANE + 14, y, end_, bold=True))
    return "\n".join((*parts, "</svg>")) + "\n"


def _text(x: int, y: int, words: str, *, bold: bool = False) -> str:
    cut = words if len(words) <= _WORDS else f"{words[: _WORDS - 1]}…"
    weight = ' font-weight="bold"' if bold else ""
    return f'<text x="{x}" y="{y}"{weight}>{escape(cut)}</text>'
