"""The evolution stage: the method, run over all seeds by Ray Data actors, shard by shard."""
