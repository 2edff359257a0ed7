"""The live view in a notebook: one output, replaced in place. IPython's part is played by a recorder."""

import sys
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console, Group
from rich.progress_bar import ProgressBar
from rich.text import Text

from evolray import display as module
from evolray.display import NOTEBOOK_SECONDS, Display, as_mime


class Frontend:
    """What IPython's display would show: the outputs made, and how often each was replaced."""

    def __init__(self) -> None:
        self.outputs: list[list[dict[str, str]]] = []

    def display(self, state: dict[str, str], *, raw: bool, display_id: bool) -> SimpleNamespace:
        assert raw and display_id
        states = [state]
        self.outputs.append(states)
        return SimpleNamespace(update=lambda state, raw: states.append(state))


@pytest.fixture
def frontend(monkeypatch: pytest.MonkeyPatch) -> Frontend:
    one = Frontend()
    monkeypatch.setitem(sys.modules, "IPython.display", SimpleNamespace(display=one.display))
    return one


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    clock = SimpleNamespace(now=1000.0)
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: clock.now))
    return clock


def in_notebook() -> Display:
    return Display(30, Console(force_jupyter=True))


def no_line() -> str:
    raise AssertionError("a notebook has a view")


def shown(frontend: Frontend) -> list[list[str]]:
    return [[state["text/plain"].strip() for state in states] for states in frontend.outputs]


def test_states_replace_each_other_in_one_output(frontend: Frontend, clock: SimpleNamespace) -> None:
    with in_notebook() as display:
        for step in range(3):
            display.display(lambda step=step: Text(f"step {step}"), no_line)  # type: ignore[misc]
            clock.now += NOTEBOOK_SECONDS
    assert shown(frontend) == [["step 0", "step 1", "step 2"]]


def test_what_comes_too_fast_is_left_out_but_for_the_last_state(frontend: Frontend, clock: SimpleNamespace) -> None:
    made = []

    def view(step: int) -> Text:
        made.append(step)
        return Text(f"step {step}")

    with in_notebook() as display:
        for step in range(100):
            display.display(lambda step=step: view(step), no_line)  # type: ignore[misc]
    assert shown(frontend) == [["step 0", "step 99"]]
    assert made == [0, 99]  # nothing is drawn that nobody sees


def test_without_a_state_there_is_no_output(frontend: Frontend) -> None:
    with in_notebook():
        pass
    assert frontend.outputs == []


def test_two_pieces_of_work_have_an_output_each(frontend: Frontend, clock: SimpleNamespace) -> None:
    for name in ("first", "second"):
        with in_notebook() as display:
            display.display(lambda name=name: Text(name), no_line)  # type: ignore[misc]
    assert shown(frontend) == [["first"], ["second"]]


def test_html_carries_no_colours_of_a_page_and_escapes_texts() -> None:
    state = as_mime(Group(Text("a <b> of 3", style="bold"), ProgressBar(total=3, completed=1)))
    assert '<span style="font-weight: bold">a &lt;b&gt; of 3</span>' in state["text/html"]
    assert "background" not in state["text/html"]
    assert state["text/plain"].startswith("a <b> of 3\n━")


def test_a_log_gets_lines_and_no_view(
    frontend: Frontend, clock: SimpleNamespace, caplog: pytest.LogCaptureFixture
) -> None:
    def no_view() -> Any:
        raise AssertionError("a log has lines")

    caplog.set_level("INFO", "evolray")
    with Display(30, Console(force_jupyter=False, force_terminal=False), at_once=True) as display:
        display.display(no_view, lambda: "step 0")
        display.display(no_view, lambda: "step 1")
        clock.now += 30
        display.display(no_view, lambda: "step 2")
    assert [record.message for record in caplog.records] == ["step 0", "step 2"]
    assert frontend.outputs == []
