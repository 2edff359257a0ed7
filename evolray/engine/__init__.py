"""Calls made shard by shard by Ray Data actors, within limits leased from one coordinator, every answer in a ledger.

What is asked is a stage's business: it hands in a `Work` (work.py) and gets back the accounts of its shards.

    roles.py        who answers, within which limits, at which prices; made from a config
    work.py         what a stage implements
    messages.py     what workers, coordinator and driver tell each other
    coordinator.py  one per run: shares out limits and budget, adds up
    worker.py       one per actor: open shards on one event loop
    teachers.py     in a worker: the teachers behind their gates, and the ledger in front of them
    on_ray.py       actors, metrics, Ctrl-C
"""
