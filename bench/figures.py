"""What a benchmark reports: figures with baselines, as a table and bench/results/<name>.json.

A figure is one measured value held against one baseline that was measured in the same run; the
ratio is what counts, since machines differ.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True)
class Figure:
    """One figure.

    Attributes:
        figure: Its name.
        value: What was measured.
        unit: Of value and baseline.
        baseline: The same of what it is held against, in the same run.
        goal: What the ratio should reach, or None.
        better: `higher` or `lower`: which ratio is the better one.
        note: What the baseline is, and the size of a smaller sample.
    """

    figure: str
    value: float
    unit: str
    baseline: float
    goal: float | None
    better: str = "higher"
    note: str = ""

    @property
    def ratio(self) -> float:
        """Value over baseline."""
        return self.value / self.baseline if self.baseline else 0.0

    @property
    def met(self) -> bool | None:
        """Whether the goal is reached; None where there is none."""
        if self.goal is None:
            return None
        return self.ratio >= self.goal if self.better == "higher" else self.ratio <= self.goal


def report(name: str, figures: list[Figure]) -> None:
    """Print a table and write `bench/results/<name>.json`."""
    print(f"\n{'figure':<16}{'value':>14}{'baseline':>14} {'unit':<12}{'ratio':>8}{'goal':>8}  met")
    for one in figures:
        sign = ">=" if one.better == "higher" else "<="
        goal = "" if one.goal is None else f"{sign}{one.goal:g}"
        met = {True: "yes", False: "NO", None: ""}[one.met]
        print(
            f"{one.figure:<16}{one.value:>14,.2f}{one.baseline:>14,.2f} {one.unit:<12}"
            f"{one.ratio:>8.2f}{goal:>8}  {met:<4}{one.note}"
        )
    RESULTS.mkdir(exist_ok=True)
    rows = [{**asdict(one), "ratio": one.ratio, "met": one.met} for one in figures]
    (RESULTS / f"{name}.json").write_text(json.dumps(rows, indent=2) + "\n")
