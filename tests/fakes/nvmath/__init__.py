"""A stand-in for nvmath-python, for tests on machines without a GPU."""
