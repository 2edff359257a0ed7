"""What a run does to its process: signals become interruptions and go back, known noise alone is held back."""

import os
import signal
import threading
from collections.abc import Iterator

import pytest

from evolray.cluster.terminal import QUIET_LINES, interrupted_by_sigterm, without_known_noise


@pytest.fixture(autouse=True)
def handler() -> Iterator[None]:
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


def test_sigterm_interrupts_like_ctrl_c() -> None:
    with pytest.raises(KeyboardInterrupt), interrupted_by_sigterm():
        signal.raise_signal(signal.SIGTERM)


def test_afterwards_sigterm_is_what_it_was() -> None:
    def own(*_: object) -> None: ...

    signal.signal(signal.SIGTERM, own)
    with interrupted_by_sigterm():
        assert signal.getsignal(signal.SIGTERM) is signal.default_int_handler
        with interrupted_by_sigterm():  # the stage and what it runs may both ask for it
            pass
        assert signal.getsignal(signal.SIGTERM) is signal.default_int_handler
    assert signal.getsignal(signal.SIGTERM) is own


def test_a_thread_other_than_the_main_one_changes_no_signal() -> None:
    """As in a notebook's background thread, where Python lets nobody set a handler."""
    before = signal.getsignal(signal.SIGTERM)
    seen: list[object] = []

    def work() -> None:
        with interrupted_by_sigterm():
            seen.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert seen == [before]


def test_known_noise_is_held_back_and_all_else_is_written(capfd: pytest.CaptureFixture[str]) -> None:
    with without_known_noise():
        os.write(2, b"first\n")
        os.write(2, f"Actor x {QUIET_LINES[0]}: never mind\n".encode())
        os.write(2, b"last, without an end")
    os.write(2, b"\nafterwards\n")
    assert capfd.readouterr().err == "first\nlast, without an end\nafterwards\n"


def test_what_was_said_before_an_error_is_not_lost(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError, match="stop"), without_known_noise():
        os.write(2, b"a reason\n\xff\n")
        raise ValueError("stop")
    assert capfd.readouterr().err == "a reason\n\N{REPLACEMENT CHARACTER}\n"
