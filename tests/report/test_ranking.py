"""Which variant is best: ties within the standard error, and what decides them."""

from __future__ import annotations

from readlabel.report.leaderboard import decided_by, rank
from readlabel.report.variants import Variant, gather


def with_figures(variant: Variant, accuracy: float, f1: float, order: float, parameters: int) -> Variant:
    assert variant.metrics is not None
    assert variant.record is not None
    figures = {"accuracy": accuracy, "accuracy_error": 0.001, "macro_f1": f1, "exact_order": order}
    scores = variant.metrics.validation.model_copy(update=figures)
    return Variant(
        entry=variant.entry,
        state=variant.state,
        folder=variant.folder,
        record=variant.record.model_copy(update={"trainable_parameters": parameters}),
        metrics=variant.metrics.model_copy(update={"validation": scores}),
    )


def test_ties_go_to_order_then_f1_then_fewer_parameters_then_lower_index(results) -> None:
    variants, _ = gather(results.grid, results.folders)
    good = [variant for variant in variants if variant.metrics is not None]
    figures = [(0.9, 0.8, 0.7, 10), (0.9, 0.8, 0.7, 10), (0.9, 0.8, 0.7, 9), (0.9, 0.81, 0.7, 99), (0.9, 0.1, 0.71, 99)]
    tied = [with_figures(variant, *values) for variant, values in zip(good[:5], figures, strict=True)]
    order = [row.variant.entry.index for row in rank(tied[::-1])]
    assert order == [good[place].entry.index for place in (4, 3, 2, 0, 1)]


def test_accuracies_within_a_standard_error_are_a_tie_that_the_exact_order_decides(results) -> None:
    variants, _ = gather(results.grid, results.folders)
    good = [variant for variant in variants if variant.metrics is not None]
    figures = [(0.981, 0.9, 0.76, 9), (0.9805, 0.9, 0.83, 9), (0.9799, 0.9, 0.99, 9)]
    ranked = rank([with_figures(variant, *values) for variant, values in zip(good[:3], figures, strict=True)])
    assert [row.variant.entry.index for row in ranked] == [good[place].entry.index for place in (1, 0, 2)]
    assert [row.tied for row in ranked] == [True, True, False]
    assert decided_by(ranked) == "exact order"


def test_what_decided_between_the_tied_is_said(results) -> None:
    variants, _ = gather(results.grid, results.folders)
    good = [variant for variant in variants if variant.metrics is not None]

    def decider(first: tuple[float, float, float, int], second: tuple[float, float, float, int]) -> str:
        return decided_by(rank([with_figures(good[0], *first), with_figures(good[1], *second)]))

    assert decider((0.9, 0.8, 0.7, 9), (0.9, 0.81, 0.7, 9)) == "macro-F1"
    assert decider((0.9, 0.8, 0.7, 9), (0.9, 0.8, 0.7, 9)) == "index"
    assert decider((0.9, 0.8, 0.7, 9), (0.8, 0.8, 0.7, 9)) == ""
