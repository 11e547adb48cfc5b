"""What triggers cost, as lines for people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.text import Text

from reconciler.lab.overhead import Cost, Timed

_STYLES = {"PASS": "green", "FAIL": "bold red", "INCONCLUSIVE": "yellow"}


def cost_lines(costs: Sequence[Cost], *, plans: bool = False) -> Iterator[Text]:
    """The verdict first, then what it rests on."""
    if not costs:
        yield Text("There is no trigger.")
    for cost in costs:
        line = Text(f"{cost.verdict:12} ", style=_STYLES[cost.verdict])
        yield line.append(f"{cost.trigger} on {cost.event}", style="bold")
        if cost.reason:
            yield Text(f"    not measured: {cost.reason}")
        for timed in cost.timed:
            yield _size(timed)
        yield from _more(cost)
        for one in cost.advice:
            yield Text(f"    → {one.says}", style="cyan")
            for text in one.sql.splitlines():
                yield Text(f"        {text}", style="dim")
        for note in cost.notes:
            yield Text(f"    {note}", style="dim")
        for name, plan in cost.plans if plans else ():
            yield Text(f"    {name}:")
            yield from (Text(f"        {text}", style="dim") for text in plan.splitlines())
    if costs:
        clocks = {timed.clock for cost in costs for timed in cost.timed}
        what = "processor time of the session's backend" if clocks == {"cpu"} else "time as it passes"
        yield Text(
            f"{what}; intervals are 99 %, widened by what a statement differs from itself here", style="dim"
        )


def _size(timed: Timed) -> Text:
    found = timed.estimate
    text = Text(
        f"    {timed.size:10} {found.share:+7.1%}  [{found.low:+.1%}, {found.high:+.1%}] ± {found.noise:.1%}"
    )
    text.append(f"  budget {timed.budget:.0%}  ", style="dim")
    text.append(timed.verdict, style=_STYLES[timed.verdict])
    each = f"{timed.off:.1f} → {timed.on:.1f} µs a row, {timed.wal:.0f} bytes of WAL"
    return text.append(f"  {each}, {found.rounds} rounds", style="dim")


def _more(cost: Cost) -> Iterator[Text]:
    if cost.scale is not None and cost.scale.points:
        points = ", ".join(f"{rows:,}: {micro:.1f}" for rows, micro in cost.scale.points)
        yield Text(f"    µs a row that it adds, by rows a statement: {points}", style="dim")
        if cost.scale.superlinear:
            yield Text("    ! a row costs ever more the more rows a statement has", style="yellow")
    found = cost.contention
    if found is not None:
        waits = f"waits seen {found.waits} in {found.looks} looks"
        yield Text(
            f"    {found.sessions} sessions: {found.off:,.0f} → {found.on:,.0f} statements a second, {waits}",
            style="dim",
        )
    for name, calls, spent in cost.functions[:5]:
        yield Text(f"    {name} called {calls:,} times, {spent:.1f} ms of its own", style="dim")
