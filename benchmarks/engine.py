"""How fast the engine trains, against training as users have it today: bases a second, the CRF, a step's parts.

Writes build/bench/engine.json: for each figure {baseline, value, ratio, unit, spread}; value and baseline are medians
of runs that alternate on the same machine, spread is (largest - smallest) / median of ours. Both sides run in processes
of their own on the same files: `plain_trainer.py` and `readlabel_trainer.py`, `crf.py`, `step_profile.py`.

    python benchmarks/engine.py [--only train_small_crf,crf] [--repeats 3] [--reads 4000] [--precision mixed_bfloat16]
        [--sample DIR]

`train_…` is the last epoch of two, `train_…_whole` both epochs with tracing and compiling, on reads of our simulator.
`train_small_crf_tranquillyzer_mix` is the same on reads whose lengths are those that tranquillyzer's simulator makes:
few very long ones, to whose length the baseline pads each batch that has one (`tranquillyzer_mix.py`). `--sample` names
a folder with tranquillyzer's reads.pkl and labels.pkl and adds `sample_…`. All takes about two hours on two cores.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
ORDERS = ROOT / "assets" / "training_seq_orders.tsv"
MODEL = "10x3p_sc_ont"
EPOCHS = 2
SMALL = {
    "embedding_dim": 64,
    "conv_layers": 2,
    "conv_filters": 64,
    "conv_kernel_size": 15,
    "lstm_units": 64,
    "dropout_rate": 0.2,
    "regularization": 0.0001,
}
DEFAULT: dict[str, Any] = {}
COMMON = {"batch_size": 32, "train_fraction": 1.0, "learning_rate": 0.001, "epochs": EPOCHS}
CONTESTS = {
    f"train_{name}_{'crf' if crf else 'nocrf'}": {**architecture, **COMMON, "crf_layer": crf}
    for name, architecture in (("small", SMALL), ("default", DEFAULT))
    for crf in (True, False)
}
MIX = "_tranquillyzer_mix"
CONTESTS |= {f"train_small_crf{MIX}": CONTESTS["train_small_crf"]}
READS = {"small": 4000, "default": 1000}
"""The default architecture is judged on fewer reads: its baseline takes ten minutes an epoch over 4,000."""


def run(script: str, *arguments: object) -> dict[str, Any]:
    """What a script of this folder prints as its last line."""
    command = [sys.executable, str(HERE / script), *map(str, arguments)]
    ended = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    if ended.returncode:
        raise SystemExit(f"{' '.join(command)} failed with status {ended.returncode}")
    found = json.loads(ended.stdout.strip().splitlines()[-1])
    print(f"  {script} {found}", file=sys.stderr)
    return found


def simulate(folder: Path, reads: int, stream: str) -> Path:
    """Labelled reads of the simulator's mix."""
    out = folder / f"{stream}-{reads}.parquet"
    command = [
        sys.executable,
        "-m",
        "readlabel.cli",
        "simulate",
        "--training-seq-orders",
        ORDERS,
        "--model-name",
        MODEL,
    ]
    command += ["--num-reads", reads // 2, "--stream", stream, "--out", out]
    subprocess.run([str(word) for word in command], check=True, stdout=subprocess.DEVNULL)
    return out


def mixed(simulated: Path) -> Path:
    """The same reads, some of them as long as tranquillyzer's simulator makes them."""
    out = simulated.with_stem(simulated.stem + MIX)
    subprocess.run([sys.executable, str(HERE / "tranquillyzer_mix.py"), str(simulated), str(out)], check=True)
    return out


def imported(folder: Path, sample: Path) -> Path:
    """Tranquillyzer's own reads."""
    out = folder / "sample.parquet"
    command = [sys.executable, "-m", "readlabel.cli", "import-reads", "--reads", sample, "--out", out]
    command += ["--training-seq-orders", ORDERS, "--model-name", MODEL]
    subprocess.run([str(word) for word in command], check=True, stdout=subprocess.DEVNULL)
    return out


def figure(ours: list[float], theirs: list[float], unit: str) -> dict[str, Any]:
    """Medians, their ratio and the spread of ours."""
    value, baseline = statistics.median(ours), statistics.median(theirs)
    return {
        "baseline": round(baseline, 4),
        "value": round(value, 4),
        "ratio": round(value / baseline, 2),
        "unit": unit,
        "spread": round((max(ours) - min(ours)) / value, 3),
    }


def contest(train: Path, held_out: Path, parameters: Mapping[str, Any], precision: str, repeats: int) -> dict[str, Any]:
    """Both trainers in turn: a steady epoch, both epochs, and how good the models are on held-out reads."""
    with tempfile.TemporaryDirectory() as name:
        files = {}
        for side, given in (("plain", parameters), ("readlabel", {**parameters, "precision": precision})):
            files[side] = Path(name) / f"{side}.json"
            files[side].write_text(json.dumps(given))
        found: dict[str, list[dict[str, Any]]] = {"plain": [], "readlabel": []}
        for _ in range(repeats):
            for side, results in found.items():
                results.append(run(f"{side}_trainer.py", train, held_out, files[side]))
    ours, theirs = found["readlabel"], found["plain"]
    speeds = {"": lambda one: one["epochs"][-1], "_whole": lambda one: one["whole"]}
    figures = {
        name: figure([get(one) for one in ours], [get(one) for one in theirs], "real bases/s")
        for name, get in speeds.items()
    }
    for key in ("accuracy", "macro_f1", "exact_order"):
        figures[f"_{key}"] = figure([one[key] for one in ours], [one[key] for one in theirs], key)
    figures["_peak_mb"] = figure(
        [one["peak_bytes"] / 1e6 for one in ours], [one["peak_bytes"] / 1e6 for one in theirs], "MB"
    )
    return figures


def show(result: Mapping[str, Mapping[str, Any]]) -> None:
    """The figures as a table."""
    print(f"{'':38}{'baseline':>12}{'readlabel':>12}{'ratio':>8}{'spread':>8}  unit")
    for name, row in result.items():
        print(
            f"{name:38}{row['baseline']:>12,.5g}{row['value']:>12,.5g}{row['ratio']:>8.2f}{row['spread']:>8.1%}  "
            f"{row['unit']}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--only", default="", help="comma list of contests: " + ", ".join([*CONTESTS, "crf", "profile"])
    )
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--precision", default="float32", help="of our side; the baseline has float32 only")
    parser.add_argument("--reads", type=int, default=READS["small"], help="for the small architecture")
    parser.add_argument("--sample", type=Path, help="folder with tranquillyzer's reads.pkl and labels.pkl")
    arguments = parser.parse_args()
    wanted = arguments.only.split(",") if arguments.only else [*CONTESTS, "crf", "profile"]
    unknown = sorted(set(wanted) - {*CONTESTS, "crf", "profile"})
    if unknown:
        parser.error(f"no contest {', '.join(unknown)}; there are {', '.join([*CONTESTS, 'crf', 'profile'])}")
    result: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        judged_on = simulate(folder, 1000, "validation")
        for label, parameters in CONTESTS.items():
            if label not in wanted:
                continue
            size = READS["default"] if "_default_" in label else arguments.reads
            train = simulate(folder, size, "training")
            sets = {label: (mixed(train), mixed(judged_on)) if label.endswith(MIX) else (train, judged_on)}
            if arguments.sample and not label.endswith(MIX):
                sets[label.replace("train", "sample")] = imported(folder, arguments.sample), judged_on
            for key, (train, held_out) in sets.items():
                print(f"{key}: {size} reads", file=sys.stderr)
                figures = contest(train, held_out, parameters, arguments.precision, arguments.repeats)
                result |= {key + suffix: row for suffix, row in figures.items()}
    if "crf" in wanted:
        result |= run("crf.py", arguments.repeats)
    if "profile" in wanted:
        for architecture in ("small", "default"):
            parameters = {**CONTESTS[f"train_{architecture}_crf"], "precision": arguments.precision}
            for key, row in run("step_profile.py", json.dumps(parameters)).items():
                result[f"{architecture}_{key}"] = row
    target = ROOT / "build" / "bench" / "engine.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(result, indent=2) + "\n")
    show(result)
    print(f"written to {target.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
