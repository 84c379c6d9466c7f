"""readlabel trains the models that label every base of a long sequencing read with its segment."""

from importlib.metadata import version

__version__ = version("readlabel")
