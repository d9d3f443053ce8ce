"""What a chart shows, before it is drawn.

Owns the neutral description that a page makes, `templates/_parts/_chart.html` shows as sentence and
table, and `static/js/charts.js` draws with ECharts. Colours are named by role (delivered, clicked
...), never here by value, so that both themes and every badge agree. No database.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

Kind = Literal["line", "bar", "stack", "rows"]
Role = Literal["delivered", "clicked", "replied", "unsubscribed", "failed", "waiting", "accent"]


@dataclass(frozen=True)
class Series:
    """One measured thing: `values` stand in the order of the chart's `x`; None is a gap.

    `hrefs`, where given, are the lists behind the values, in the same order.
    """

    name: str
    role: Role
    values: Sequence[float | None]
    hrefs: Sequence[str] = ()


@dataclass(frozen=True)
class Cell:
    """A value of the table, and where it leads; nowhere where that is empty."""

    value: float | None
    href: str


@dataclass(frozen=True)
class Row:
    """A line of the table behind the chart."""

    label: str
    cells: list[Cell]


@dataclass(frozen=True)
class Chart:
    """A chart with its sentence.

    Attributes:
        kind: `line`; `bar`, side by side; `stack`, on top of each other; `rows`, lying bars.
        sentence: What the picture shows, in words; read out instead of the picture.
        x: Labels, in order; ready to read ("Tue 5 May", "10:00").
        series: One or more, each as long as `x`.
        unit: Word on the value axis ("people", "texts"), or "%" for ratios between 0 and 1.
        x_name: Head of the table's first column.
        zone: Name of the time zone that `x` is told in; empty where `x` is no time.
        none_yet: Shown instead while every value is 0 or missing.
        y_max: Top of the value axis, to keep small multiples on one scale.
        hrefs: Where a click on each place leads; a series may lead elsewhere.
        times: For `line`: the moments of `x`, in the zone told; drawn at their true distance.
    """

    kind: Kind
    sentence: str
    x: Sequence[str]
    series: Sequence[Series]
    unit: str
    x_name: str = "Time"
    zone: str = ""
    none_yet: str = "Nothing to show yet."
    height_px: int = 240
    y_max: float | None = None
    hrefs: Sequence[str] = ()
    times: Sequence[datetime] = ()

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to draw."""
        return not any(value for one in self.series for value in one.values)

    @property
    def rows(self) -> list[Row]:
        """The table behind: one row for each place on the x axis."""
        return [
            Row(label, [Cell(one.values[index], self._href(one, index)) for one in self.series])
            for index, label in enumerate(self.x)
        ]

    def _href(self, series: Series, index: int) -> str:
        hrefs = series.hrefs or self.hrefs
        return hrefs[index] if hrefs and series.values[index] is not None else ""

    @property
    def payload(self) -> dict[str, Any]:
        """What the script draws from; JSON-serialisable."""
        return {
            "kind": self.kind,
            "x": list(self.x),
            "unit": self.unit,
            "yMax": self.y_max,
            # Wall-clock times: the browser is to show the account's zone, not its own.
            "times": [time.replace(tzinfo=None).isoformat() for time in self.times],
            "series": [
                {
                    "name": one.name,
                    "role": one.role,
                    "values": list(one.values),
                    "hrefs": list(one.hrefs or self.hrefs),
                }
                for one in self.series
            ],
        }
