"""How well the small network labels reads it has never seen, by learning-rate schedule, and what it still gets wrong.

Each schedule is trained with some seeds on the same simulated reads, each in a process of its own
(`readlabel_trainer.py`), and judged on reads of another stream of the simulator. A figure is the mean over the seeds,
its spread (largest - smallest) / mean. True segments of which no base was found are counted, and those of them that
have at most three bases, in which there is often nothing left to see.

Writes build/bench/quality.json: for each figure {baseline, value, ratio, unit, spread}; the baseline is the plateau
schedule, which is what tranquillyzer trains with.

    python benchmarks/quality.py [--reads 600] [--epochs 2] [--seeds 3] [--full]

`--full` is 3,200 reads, 2 and 8 epochs. `plateau` watches a tenth of the reads and so trains on the others only.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from engine import COMMON, ROOT, SMALL, run, simulate

HELD_OUT = 400
FULL_READS, FULL_EPOCHS = 3200, (2, 8)
SCHEDULES: dict[str, dict[str, Any]] = {
    "plateau": {"lr_schedule": "plateau", "learning_rate": 0.001, "train_fraction": 0.9},
    "constant": {"lr_schedule": "constant", "learning_rate": 0.001},
    "warmup_cosine": {"lr_schedule": "warmup_cosine", "learning_rate": 0.008, "warmup_steps": 50},
}
UNITS = {
    "accuracy": "share of bases",
    "macro_f1": "macro-F1",
    "exact_order": "share of reads",
    "missing": "true segments of 1,000 that were not found",
    "missing_short": "of these, those of at most 3 bases",
}


def figures(found: Sequence[dict[str, Any]], baseline: Sequence[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Means over the seeds, of a schedule and of the baseline."""
    rows = {}
    for key, unit in UNITS.items():
        values = [one[key] for one in found]
        value, before = statistics.mean(values), statistics.mean(one[key] for one in baseline)
        rows[key] = {
            "baseline": round(before, 4),
            "value": round(value, 4),
            "ratio": round(value / before, 4) if before else None,
            "unit": unit,
            "spread": round((max(values) - min(values)) / value, 4) if value else None,
        }
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reads", type=int, default=600)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--full", action="store_true", help="3,200 reads, 2 and 8 epochs: about an hour")
    arguments = parser.parse_args()
    lengths = FULL_EPOCHS if arguments.full else (arguments.epochs,)
    result: dict[str, Any] = {}
    print("schedule", "epochs", *UNITS, sep="\t")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        train = simulate(folder, FULL_READS if arguments.full else arguments.reads, "training")
        held_out = simulate(folder, HELD_OUT, "validation")
        for epochs in lengths:
            baseline: list[dict[str, Any]] = []
            for schedule, changes in SCHEDULES.items():
                parameters = folder / "parameters.json"
                parameters.write_text(json.dumps({**SMALL, **COMMON, **changes, "epochs": epochs}))
                found = [
                    run("readlabel_trainer.py", train, held_out, parameters, seed + 1)
                    for seed in range(arguments.seeds)
                ]
                baseline = baseline or found
                rows = figures(found, baseline)
                result |= {f"{schedule}_{epochs}_epochs_{key}": row for key, row in rows.items()}
                print(
                    schedule,
                    epochs,
                    *(f"{row['value']:.4f} ± {row['spread'] or 0:.1%}" for row in rows.values()),
                    sep="\t",
                )
                sys.stdout.flush()
    target = ROOT / "build" / "bench" / "quality.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(result, indent=2) + "\n")
    print(f"written to {target.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
