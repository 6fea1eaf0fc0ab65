"""The floors: the same wire with nothing of the product on it."""
