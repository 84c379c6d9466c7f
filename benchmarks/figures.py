"""How a benchmark writes what it measured: both sides, their ratio, the unit and how far the runs spread."""

from __future__ import annotations


def figure(value: float, baseline: float, unit: str, spread: float | None = None) -> dict[str, object]:
    """One entry of build/bench/*.json; spread is None where there was one run."""
    return {
        "baseline": round(baseline, 4),
        "value": round(value, 4),
        "ratio": round(value / baseline, 4),
        "unit": unit,
        "spread": spread,
    }
