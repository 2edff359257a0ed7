"""What cannot work is refused by the setting's name, which in a section of another config has the section before it."""

from pathlib import Path
from typing import Any

import pytest

from evolray.config import SamplerConfig, from_mapping
from evolray.errors import UserError
from evolray.sampling.naming import named_in
from evolray.sampling.opening import check, open_sampler
from tests.sampling import tiny

SCRIPTED = {"endpoint.kind": "scripted", "endpoint.script": "json:dumps"}


def refusal(settings: dict[str, Any], section: str) -> str:
    with pytest.raises(UserError) as caught:
        open_sampler(from_mapping(SamplerConfig, settings), section=section)
    return str(caught.value)


@pytest.mark.parametrize("section", ["", "judge."])
@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({}, "no model is named; set {}model= to a checkpoint (a run of evolray train, a folder, a name on the Hub), "
             "or {}endpoint.model= and {}endpoint.base_url= to one that is served."),
        ({"model": "a", "endpoint.model": "b"}, "{}model=a and {}endpoint.model=b: expected one of the two"),
        ({"model": "no/such/folder"}, "{}model=no/such/folder: there is no such folder."),
        ({"model": "a", "backend": "onnx"}, "{}backend=onnx: expected one of auto, transformers, vllm."),
        ({"model": "a", "chat_format": "llama"}, "{}chat_format=llama: expected one of alpaca"),
        ({"model": "a", "precision": "int8"}, "{}precision=int8: expected auto"),
        ({**SCRIPTED, "sampling.temperature": -1}, "{}sampling.temperature=-1.0: expected 0 or more."),
        ({**SCRIPTED, "sampling.top_p": 0}, "{}sampling.top_p=0.0: expected a share above 0"),
        ({**SCRIPTED, "sampling.n": 3},
         "{}sampling.n=3 at temperature 0 asks for the same sample 3 times; set {}sampling.temperature (the papers use "
         "0.2), or {}sampling.n=1."),
        ({**SCRIPTED, "budget.calls": 0}, "{}budget.calls=0: expected 1 or more."),
        ({**SCRIPTED, "endpoint.max_in_flight": 0}, "{}endpoint.max_in_flight=0: expected a number from 1, or auto."),
        ({"endpoint.kind": "scripted"}, "{}endpoint.kind=scripted needs {}endpoint.script=package.module:function."),
    ],
)  # fmt: skip
def test_settings_are_named_with_their_section(settings: dict[str, Any], said: str, section: str) -> None:
    assert refusal(settings, section).startswith(said.replace("{}", section))


@pytest.mark.parametrize(("temperature", "n", "refused"), [
    (None, 1, False), (0.0, 1, False), (0.2, 3, False), (None, 2, True), (0.0, 2, True),
])  # fmt: skip
def test_several_samples_want_a_temperature(temperature: float | None, n: int, refused: bool) -> None:
    config = from_mapping(SamplerConfig, {**SCRIPTED, "sampling.temperature": temperature, "sampling.n": n})
    if not refused:
        return check(config)
    with pytest.raises(UserError, match=f"sampling.n={n} at temperature 0 asks for the same sample {n} times"):
        check(config)


def test_a_judge_without_a_template_is_not_told_of_prompts(tmp_path: Path) -> None:
    from evolray.pool.layout import open_folder
    from evolray.sampling.questions import Question, write_questions

    model, folder = tiny.save_student(tmp_path / "base", chat_format=None), open_folder(str(tmp_path / "run"))
    write_questions(folder, 0, [Question("q", 0, tiny.said("Hi"))])
    judge = open_sampler(tiny.configured(model), section="judge.")
    with pytest.raises(UserError) as caught:
        judge.run(folder, [0], lambda now: None)
    assert str(caught.value) == (
        f"judge.model={model} has no chat template, so instructions cannot be put to it. Choose the judge.chat_format "
        "it was trained on: alpaca, alpaca_cot, freeform, vicuna."
    )


def test_an_error_that_names_no_setting_stays_as_it_is() -> None:
    with pytest.raises(UserError, match=r"^the file is empty$"), named_in("judge."):
        raise UserError("the file is empty")
