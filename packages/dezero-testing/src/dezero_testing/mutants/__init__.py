"""Wrong libraries: one fault planted in one function, to see whether the kit catches it."""
