"""What a bench says: figures, their targets, the table and the JSON.  No I/O, no clock, no Trio.

Rule 1: a figure is the median of its runs; its ratio is the median of ratios paired run by run, since what
slowed the machine down for a while slowed both of a pair.
Rule 2: CPU time before wall-clock time, ratios before absolutes.
Rule 3: a target that is missed is told, and is no error.
"""

from collections.abc import Iterable, Mapping, Sequence
from statistics import median
from typing import Any, Final

import attrs

MEMORY: Final = "memory"
SQLITE: Final = "SQLite"
# How the unit of a figure that no stall can bend begins.
_CPU: Final = "CPU"


@attrs.frozen
class Target:
    """A bound that a figure should keep to: at most, or with `is_least` at least; its ratio, or its value."""

    bound: float
    is_ratio: bool = False
    is_least: bool = False

    def is_met(self, value: float) -> bool:
        """Whether a median, of ratios if this is a target for these, keeps to it."""
        return value >= self.bound if self.is_least else value <= self.bound

    def __str__(self) -> str:
        return f"{'ratio ' if self.is_ratio else ''}at {'least' if self.is_least else 'most'} {self.bound:,g}"


def at_most(bound: float) -> Target:
    """The value should not exceed this."""
    return Target(bound)


def at_least(bound: float) -> Target:
    """The value should not fall short of this."""
    return Target(bound, is_least=True)


def ratio_at_most(bound: float) -> Target:
    """The value should not exceed the rival's this many times."""
    return Target(bound, is_ratio=True)


@attrs.frozen(kw_only=True)
class Figure:
    """One line of the table.

    `experiment` is its name, `case` what was measured in it, `unit` that of the value: it begins with "CPU"
    where that is CPU time.  `lowest` and `highest` are of any run, `runs` counts them.  `rival` names what
    the ratio is to.  `windows`: the wall-clock windows that were used; `stalled`: those thrown away, since
    the machine stood still in them.
    """

    experiment: str
    case: str
    unit: str
    value: float
    lowest: float
    highest: float
    runs: int
    rival: str | None = None
    rival_value: float | None = None
    ratio: float | None = None
    ratio_lowest: float | None = None
    ratio_highest: float | None = None
    target: str | None = None
    is_met: bool | None = None
    windows: int | None = None
    stalled: int | None = None

    @property
    def is_cpu(self) -> bool:
        """Whether this is CPU time, which a machine that stalls cannot bend."""
        return self.unit.startswith(_CPU)


def figure(
    experiment: str,
    case: str,
    unit: str,
    runs: Sequence[float],
    *,
    rival: str | None = None,
    rival_runs: Sequence[float] = (),
    target: Target | None = None,
    windows: int | None = None,
    stalled: int | None = None,
) -> Figure:
    """The figure of these runs, in the order of their measurement; the rival's runs are paired with them.

    Raises ValueError for runs that have no pair, and for a target that asks for a ratio without a rival.
    """
    ratios = [ours / theirs for ours, theirs in zip(runs, rival_runs, strict=True)] if rival else []
    judged = ratios if target is not None and target.is_ratio else runs
    if target is not None and not judged:
        raise ValueError(f"{experiment}, {case}: there is nothing to hold the target against")
    return Figure(
        experiment=experiment,
        case=case,
        unit=unit,
        value=median(runs),
        lowest=min(runs),
        highest=max(runs),
        runs=len(runs),
        rival=rival,
        rival_value=median(rival_runs) if rival else None,
        ratio=median(ratios) if ratios else None,
        ratio_lowest=min(ratios, default=None),
        ratio_highest=max(ratios, default=None),
        target=str(target) if target else None,
        is_met=target.is_met(median(judged)) if target else None,
        windows=windows,
        stalled=stalled,
    )


def percentile(samples: Iterable[float], percent: float) -> float:
    """The smallest sample that this percentage of them does not exceed.  Raises ValueError without any."""
    ordered = sorted(samples)
    if not ordered:
        raise ValueError("there is no sample")
    rank = -int(-len(ordered) * percent // 100)  # rounded up
    return ordered[max(rank, 1) - 1]


# On paper -----------------------------------------------------------------------------------------

_HEADER: Final = ("", "ratio", "to", "value", "unit", "target", "windows")


def table(
    machine: Mapping[str, Any], figures: Sequence[Figure], titles: Mapping[str, str] | None = None
) -> str:
    """The figures for a person, with what they were measured on.

    `titles` says in a sentence, or in several lines, what an experiment is about.
    """
    rows = [_HEADER, *map(_cells, figures)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADER))]
    lines = [
        describe(machine),
        "medians of runs that took turns (lowest to highest); CPU time of the process that is measured",
    ]
    for experiment in dict.fromkeys(each.experiment for each in figures):
        own = [each for each in figures if each.experiment == experiment]
        title = (titles or {}).get(experiment, "")
        lines += ["", f"{experiment}: {title}" if title else experiment, _line(_HEADER, widths)]
        lines += [_line(_cells(each), widths) for each in sorted(own, key=_rank)]
    return "\n".join([*lines, "", _verdict(figures)])


def describe(machine: Mapping[str, Any]) -> str:
    """The machine in one line."""
    return (
        f"{machine['system']}, {machine['cpus']} CPUs of {machine['processor']}, load {machine['load']:g};"
        f" Python {machine['python']}, Trio {machine['trio']}, SQLite {machine['sqlite']};"
        f" a page with fsync takes {machine['fsync_milliseconds']:g} ms"
    )


def as_json(machine: Mapping[str, Any], figures: Sequence[Figure], *, is_quick: bool) -> dict[str, Any]:
    """The same for a program."""
    return {"machine": dict(machine), "quick": is_quick, "figures": [attrs.asdict(each) for each in figures]}


def _rank(one: Figure) -> tuple[bool, bool]:
    return not one.is_cpu, one.ratio is None


def _cells(one: Figure) -> tuple[str, ...]:
    ratio = value = target = windows = ""
    if one.ratio is not None:
        ratio = f"{_number(one.ratio)} ({_number(one.ratio_lowest)} to {_number(one.ratio_highest)})"
    value = _number(one.value)
    if one.runs > 1:
        value += f" ({_number(one.lowest)} to {_number(one.highest)})"
    if one.target is not None:
        target = f"{one.target}: {'met' if one.is_met else 'MISSED'}"
    if one.windows is not None:
        windows = f"{one.windows:,}" + (f", {one.stalled:,} stalled" if one.stalled else "")
    rival = f"{one.rival}, {_number(one.rival_value)}" if one.rival else ""
    return f"  {one.case}", ratio, rival, value, one.unit, target, windows


def _number(value: float | None) -> str:
    """Three digits that count, and no more than a person reads."""
    if value is None:
        return ""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(f"{cell:<{width}}" for cell, width in zip(cells, widths, strict=True)).rstrip()


def _verdict(figures: Sequence[Figure]) -> str:
    judged = [each for each in figures if each.target is not None]
    missed = [f"{each.experiment}, {each.case}" for each in judged if not each.is_met]
    if not judged:
        return "no targets"
    if not missed:
        return f"all {len(judged)} targets met"
    met = f"{len(judged) - len(missed)} of {len(judged)} targets met; missed:"
    return "\n".join([met, *(f"  {name}" for name in missed)])
