"""The order of the steps of one run, over one run record."""
