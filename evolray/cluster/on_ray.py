"""A cluster to run on: the one that is there, or one for this run alone."""

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager

RAY_SETTINGS = {
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # otherwise Ray 2.60 warns at every start that this will change
    "RAY_worker_niceness": "0",  # Ray's 15 is kind to a desktop, but in a Ray of our own the workers are all there is
}

# What Ray 2.60 says at every start, whatever is done about it, and what nobody can act on.
QUIET_LOGGERS = {
    "ray._private.authentication.authentication_token_setup": logging.ERROR,
    "ray.data._internal.progress": logging.ERROR,
    "ray.data": logging.WARNING,
}


@contextmanager
def cluster() -> Iterator[None]:
    """Connect to the cluster of RAY_ADDRESS, or to one that runs on this machine, or start one for this run alone.

    A Ray that was there before is left running, and a connection that was there before is left open.
    """
    import ray.data  # sets up its loggers; what is said about them below must come later

    for name, level in QUIET_LOGGERS.items():
        logging.getLogger(name).setLevel(level)
    if ray.is_initialized():
        yield
        return
    for name, value in RAY_SETTINGS.items():
        os.environ.setdefault(name, value)
    ray.init(logging_level=logging.WARNING, log_to_driver=False)
    try:
        yield
    finally:
        ray.shutdown()
