"""Steps that work through shards, done once."""
