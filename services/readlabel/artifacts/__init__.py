"""A run's folder: the names of its files, writing them whole, and tranquillyzer's layout of the same files."""
