"""What the tests of sampling share: a student's folder."""

from pathlib import Path

import pytest

from tests.sampling import tiny


@pytest.fixture(scope="session")
def student(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny LLaMA with an alpaca chat template."""
    return tiny.save_student(tmp_path_factory.mktemp("student"))
