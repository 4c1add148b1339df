"""Define the rows and checks of DeZero's own packages; `dezero_testing.table` loads them."""
