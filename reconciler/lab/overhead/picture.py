"""How long statements took without a trigger and with it, as a picture: the share of statements that were done within so long.

Pure: a cost in, SVG text out. One panel for each size, with a logarithmic time; the two curves differ by dashes, not by colour alone.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from html import escape

from reconciler.lab.overhead.values import Cost, Timed

_WIDE, _HIGH, _LEFT, _TOP, _GAP = 420, 220, 56, 64, 92
_ARMS = (("without", "#666", ' stroke-dasharray="5 4"'), ("with the trigger", "#1a56b0", ""))
_SHOWN = (50, 95, 99)


def svg(cost: Cost) -> str:
    """A document; empty where nothing was timed."""
    panels = [timed for timed in cost.timed if timed.spread is not None]
    if not panels:
        return ""
    width, height = _LEFT + _WIDE + 24, _TOP + len(panels) * (_HIGH + _GAP)
    title = f"{cost.trigger} on {cost.event}: {cost.verdict}"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
        ' font-family="monospace" font-size="11" role="img">',
        f"<title>{escape(title)}</title>",
        f'<rect width="{width}" height="{height}" fill="white"/>',
        _text(12, 22, title, bold=True),
    ]
    for number, timed in enumerate(panels):
        parts += _panel(timed, _TOP + number * (_HIGH + _GAP))
    return "\n".join((*parts, "</svg>")) + "\n"


def _panel(timed: Timed, top: int) -> Iterator[str]:
    assert timed.spread is not None
    arms = (timed.spread.off, timed.spread.on)
    low, high = min(arm[0] for arm in arms), max(arm[-1] for arm in arms)
    scale = _Log(max(low, 0.1), max(high, low * 1.1, 0.2))
    rows = "one row" if timed.size == "single row" else f"{timed.rows:,} rows"
    yield _text(_LEFT, top - 14, f"a statement of {rows}: share that is done within so long", bold=True)
    yield f'<rect x="{_LEFT}" y="{top}" width="{_WIDE}" height="{_HIGH}" fill="none" stroke="#888"/>'
    for percent in (0, 50, 100):
        y = top + _HIGH * (1 - percent / 100)
        yield _text(12, y + 4, f"{percent:>3} %")
        yield f'<line x1="{_LEFT}" y1="{y:.1f}" x2="{_LEFT + _WIDE}" y2="{y:.1f}" stroke="#ddd"/>'
    for tick in scale.ticks():
        x = scale.x(tick)
        yield f'<line x1="{x:.1f}" y1="{top}" x2="{x:.1f}" y2="{top + _HIGH}" stroke="#ddd"/>'
        yield _text(x - 12, top + _HIGH + 16, _told(tick))
    for row, ((name, colour, dashes), arm) in enumerate(zip(_ARMS, arms, strict=True)):
        points = " ".join(
            f"{scale.x(value):.1f},{top + _HIGH * (1 - percent / 100):.1f}"
            for percent, value in enumerate(arm)
        )
        yield f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.6"{dashes}/>'
        y = top + _HIGH + 36 + 16 * row
        yield f'<line x1="{_LEFT}" y1="{y - 4}" x2="{_LEFT + 28}" y2="{y - 4}" stroke="{colour}" stroke-width="1.6"{dashes}/>'
        told = ", ".join(f"{percent} % {_told(arm[percent])}" for percent in _SHOWN)
        yield _text(_LEFT + 36, y, f"{name}: {told}")


class _Log:
    """A logarithmic axis."""

    def __init__(self, low: float, high: float) -> None:
        self._low, self._high = low, high

    def x(self, value: float) -> float:
        share = math.log(max(value, self._low) / self._low) / math.log(self._high / self._low)
        return _LEFT + _WIDE * share

    def ticks(self) -> Sequence[float]:
        """Powers of ten within, or halves of them where there are few; the ends where there is none."""
        powers = range(math.floor(math.log10(self._low)), math.ceil(math.log10(self._high)) + 1)
        found = [step * 10.0**power for power in powers for step in (1, 2, 5)]
        inside = [value for value in found if self._low <= value <= self._high]
        tens = [
            value
            for value in inside
            if math.isclose(math.log10(value), round(math.log10(value)), abs_tol=1e-9)
        ]
        return tens if len(tens) > 2 else inside or (self._low, self._high)


def _told(micro: float) -> str:
    """Microseconds in the unit that a person would take."""
    if micro < 1_000:
        return f"{micro:.3g} µs"
    return f"{micro / 1_000:.3g} ms" if micro < 1_000_000 else f"{micro / 1_000_000:.3g} s"


def _text(x: float, y: float, words: str, *, bold: bool = False) -> str:
    weight = ' font-weight="bold"' if bold else ""
    return f'<text x="{x:.1f}" y="{y:.1f}"{weight}>{escape(words)}</text>'
