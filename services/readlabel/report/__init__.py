"""What people look at: a run's folder in tranquillyzer's layout with its drawings, and the report that compares a grid.

`export` and `install` take one run; `build` takes a whole grid.
"""
