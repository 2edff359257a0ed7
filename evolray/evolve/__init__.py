"""The evolution stage: the method, run over all seeds by Ray Data actors, shard by shard."""

from evolray.calling import calls_function

calls_function(__name__)
