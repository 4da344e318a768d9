"""What is peculiar to Deepomatic: its paths, words, limits and rules. No socket and no file is opened here."""
