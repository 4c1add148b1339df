"""Define the checks that every backend must pass, besides the rows of the op table."""
