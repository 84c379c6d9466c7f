"""``report.html``: a `Page` enters, one self-contained file leaves. It asks the network for nothing.

The same page gives the same bytes. Every text is escaped by the template engine.
"""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from readlabel.artifacts.atomic import write_text
from readlabel.report import charts
from readlabel.report.page import Page, seconds

HTML = "report.html"


def write_html(target: Path, page: Page) -> None:
    """Render the page.

    Raises:
        OutputError: the file cannot be written.
    """
    environment = Environment(
        loader=PackageLoader("readlabel.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "percent": _percent,
        "seconds": seconds,
        "grouped": "{:,.0f}".format,
    }
    environment.globals |= {"box": charts}
    write_text(target, environment.get_template("report.html.j2").render(page=page))


def _percent(share: float, digits: int = 2) -> str:
    return f"{share:.{digits}%}"
