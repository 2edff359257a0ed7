"""What lies on disk in the end: the mix, what was dropped, the data card, hashes."""
