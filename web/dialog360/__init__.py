"""360dialog's door: Meta's own form both ways, with another sender and another proof of who calls."""
