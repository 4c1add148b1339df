"""Plant one fault in one function of a library, and check whether the kit catches the fault."""
