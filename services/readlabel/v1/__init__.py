"""Generated stubs of the public API; `python tools/generate_stubs.py` makes them from proto/."""
