"""What is in an image, as CycloneDX 1.5: its Python and Debian packages. Run by the image's own Python.

python sbom.py IMAGE VERSION
"""

from __future__ import annotations

import json
import subprocess
import sys
from importlib import metadata
from typing import Any
from urllib.parse import quote

Component = dict[str, Any]


def main(image: str, version: str) -> None:
    """Write the bill of materials."""
    components = sorted([*python_packages(), *debian_packages()], key=lambda component: str(component["bom-ref"]))
    bill = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {"component": {"type": "container", "name": f"readlabel/{image}", "version": version}},
        "components": components,
    }
    json.dump(bill, sys.stdout, indent=1)


def python_packages() -> list[Component]:
    """The distributions that this Python finds."""
    found = {dist.metadata["Name"]: dist.version for dist in metadata.distributions()}
    return [component(name, version, f"pkg:pypi/{name.lower().replace('_', '-')}") for name, version in found.items()]


def debian_packages() -> list[Component]:
    """The packages that dpkg knows."""
    query = ["dpkg-query", "--show", "--showformat", "${Package}\t${Version}\t${Architecture}\n"]
    rows = [
        line.split("\t")
        for line in subprocess.run(query, capture_output=True, text=True, check=True).stdout.splitlines()
    ]
    return [component(name, version, f"pkg:deb/debian/{name}", f"?arch={arch}") for name, version, arch in rows]


def component(name: str, version: str, purl: str, qualifiers: str = "") -> Component:
    """One entry, named by its package URL."""
    reference = f"{purl}@{quote(version, safe='.')}{qualifiers}"
    return {"type": "library", "bom-ref": reference, "name": name, "version": version, "purl": reference}


if __name__ == "__main__":
    main(*sys.argv[1:])
