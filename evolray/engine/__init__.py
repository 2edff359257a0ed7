"""Calls made shard by shard by Ray Data actors, within limits leased from one coordinator, every answer in a ledger.

What is asked is a stage's business: it implements a `Work` and gets back the accounts of its shards.

    roles.py, importing.py    who answers, within which limits, at which prices; made from a config
    checking.py, spending.py  before a run: is everyone there who is to answer, and what was paid already
    work.py                   what a stage implements
    messages.py               what workers, coordinator and driver tell each other
    coordinator.py            one per run: shares out limits and budget, adds up
    worker.py, teachers.py    one per actor: open shards on one event loop, teachers behind gates and ledgers
    on_ray.py                 actors, metrics, Ctrl-C
"""
