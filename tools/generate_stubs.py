"""Generate services/readlabel/v1 from proto/readlabel/v1: messages, types and gRPC stubs.

    python tools/generate_stubs.py [OUT]

writes below OUT, or over the committed stubs. They are committed so that an install needs no compiler; a test
generates them again and compares.
"""

from __future__ import annotations

import sys
from pathlib import Path

import grpc_tools
from grpc_tools import protoc

ROOT = Path(__file__).resolve().parent.parent
PROTO = ROOT / "proto"


def generate(out: Path) -> None:
    """Write the stubs of every .proto below `out`, as readlabel/v1/*.

    Raises:
        SystemExit: the compiler refused a file; it has said why.
    """
    files = sorted(PROTO.rglob("*.proto"))
    well_known = Path(grpc_tools.__file__).parent / "_proto"
    arguments = ["protoc", f"-I{PROTO}", f"-I{well_known}", f"--python_out={out}", f"--pyi_out={out}"]
    status = protoc.main([*arguments, *map(str, files)])
    with_services = [str(path) for path in files if "\nservice " in path.read_text(encoding="utf-8")]
    status = status or protoc.main(
        ["protoc", f"-I{PROTO}", f"-I{well_known}", f"--grpc_python_out={out}", *with_services]
    )
    if status:
        raise SystemExit(status)


if __name__ == "__main__":
    generate(Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "services")
