"""Whose Ray it is: one that was there before stays."""

import pytest

from evolray.cluster.on_ray import cluster


def test_a_connection_that_was_there_stays(local_ray: None) -> None:
    import ray

    with pytest.raises(ValueError, match="stop"), cluster():
        assert ray.is_initialized()
        raise ValueError("stop")
    assert ray.is_initialized()
