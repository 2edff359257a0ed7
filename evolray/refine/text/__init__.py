"""Texts as they are compared: words, code tokens, and their hashes by the shard."""
