"""How good predicted labels are: against true labels (`Scores`), and against the library's order (`architecture`)."""

from readlabel.evaluation.scores import exact_order, score

__all__ = ["exact_order", "score"]
