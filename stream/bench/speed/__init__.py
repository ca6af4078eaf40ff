"""Events per second beside what bounds them, beside the code of before, and beside other libraries."""
