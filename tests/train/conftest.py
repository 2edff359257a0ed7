"""What the tests of training share: a small student and tokenised examples, ready to train on."""

from collections.abc import Callable
from pathlib import Path

import pytest

from evolray.config import TrainConfig
from tests.train import small


@pytest.fixture(scope="session")
def student(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a small LLaMA whose heads share keys and values, and its tokenizer."""
    return small.write_student(tmp_path_factory.mktemp("student"))


@pytest.fixture
def new_run(tmp_path: Path, student: Path) -> Callable[..., TrainConfig]:
    """A run directory with so many tokenised examples and the config that it belongs to. Each call makes another."""
    made = 0

    def make(number: int = 14, model: Path = student, **changes: object) -> TrainConfig:
        nonlocal made
        made += 1
        run = tmp_path / f"run-{made}"
        config = small.config_of(run, model, **changes)
        small.write_examples(run, small.examples(number), config)
        return config

    return make
