"""How good predicted labels are: predicted against true labels in, `Scores` out."""

from readlabel.evaluation.scores import exact_order, score

__all__ = ["exact_order", "score"]
