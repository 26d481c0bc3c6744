"""Measured figures with their goals, as a table, as Markdown and as JSON."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """``must`` and ``aim`` are lower limits, or upper limits if ``lower_is_better``."""

    must: float
    aim: float
    unit: str = ""
    lower_is_better: bool = False

    def reaches(self, got: float, wanted: float) -> bool:
        return got <= wanted if self.lower_is_better else got >= wanted

    def verdict(self, got: float) -> str:
        if self.reaches(got, self.aim):
            return "aim reached"
        if self.reaches(got, self.must):
            return "must reached"
        return f"MISSED by {abs(got - self.must) / self.must:.0%}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One row. ``runs``: each round's figure; ``got`` is their median unless the row says otherwise. ``detail``: the values behind it."""

    row: str
    what: str
    goal: Goal
    got: float
    runs: tuple[float, ...] = ()
    detail: str = ""
    facts: dict[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        return {
            "row": self.row,
            "what": self.what,
            "must": self.goal.must,
            "aim": self.goal.aim,
            "unit": self.goal.unit,
            "lower_is_better": self.goal.lower_is_better,
            "got": self.got,
            "verdict": self.goal.verdict(self.got),
            "runs": list(self.runs),
            "detail": self.detail,
            **self.facts,
        }


def of_runs(row: str, what: str, goal: Goal, runs: Sequence[float], detail: str = "", **facts: Any) -> Figure:
    return Figure(row=row, what=what, goal=goal, got=statistics.median(runs), runs=tuple(runs), detail=detail, facts=facts)


_OF_THE_LIMIT = Goal(must=0.5, aim=0.75, unit="×")
"""The worst and the best ratio of the former, heavier engine."""


def of_the_limit(row: str, what: str, runs: Sequence[float], least: Sequence[float]) -> Figure:
    """Compares ``runs`` with the least SQL for the same rows. Both are units a second, by round."""
    ratios = [ours / limit for ours, limit in zip(runs, least, strict=True)]
    detail = f"least SQL {statistics.median(least):,.0f}/s"
    return of_runs(row, f"{what} / least SQL for the same rows", _OF_THE_LIMIT, ratios, detail, least_sql_per_second=list(least))


def number(value: float) -> str:
    if value >= 1000:
        return f"{value:,.0f}"
    return f"{value:.0f}" if value >= 100 or value == int(value) else f"{value:.2f}" if value < 10 else f"{value:.1f}"


def print_table(console: Console, figures: Sequence[Figure]) -> None:
    table = Table(show_lines=False, pad_edge=False)
    for heading in ("what", "must", "aim", "got", "verdict", "details"):
        table.add_column(heading, justify="right" if heading in ("must", "aim", "got") else "left", overflow="fold")
    for figure in figures:
        goal = figure.goal
        verdict = goal.verdict(figure.got)
        unit = f" {goal.unit}" if goal.unit else ""
        style = "red" if verdict.startswith("MISSED") else "green" if verdict.startswith("aim") else ""
        table.add_row(
            figure.what, number(goal.must) + unit, number(goal.aim) + unit, number(figure.got) + unit, verdict, figure.detail, style=style
        )
    console.print(table)


def markdown(figures: Sequence[Figure]) -> str:
    lines = ["| what | must | aim | got | verdict | details |", "|---|---|---|---|---|---|"]
    for figure in figures:
        unit = f" {figure.goal.unit}" if figure.goal.unit else ""
        cells = (number(figure.goal.must) + unit, number(figure.goal.aim) + unit, number(figure.got) + unit)
        lines.append(f"| {figure.what} | {' | '.join(cells)} | {figure.goal.verdict(figure.got)} | {figure.detail} |")
    return "\n".join(lines) + "\n"
