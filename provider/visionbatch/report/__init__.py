"""What the tables of a data export say, as a page and a picture that a field team can forward."""
