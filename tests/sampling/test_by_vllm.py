"""What vLLM is given and what is read of its answers, with a stand-in of its interface; it is not installed here."""

import hashlib
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from evolray.cluster.machine import Machine
from evolray.errors import UserError
from evolray.sampling.models import answering
from evolray.sampling.models.answering import Answering, check_backend
from evolray.sampling.models.source import Source
from evolray.sampling.questions import Question, Sample
from tests.sampling import tiny

GPU = Machine("gpu", "NVIDIA H100", 80_000_000_000)


@dataclass
class SamplingParams:
    temperature: float
    top_p: float
    top_k: int
    max_tokens: int
    stop: list[str]
    seed: int


@dataclass
class Recorder:
    """`reply`: the text and finish reason of every answer."""

    reply: tuple[str, str] = ("", "stop")
    options: dict[str, Any] = field(default_factory=dict)
    prompts: list[Any] = field(default_factory=list)
    parameters: list[SamplingParams] = field(default_factory=list)
    error: Exception | None = None


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch) -> Recorder:
    recorder = Recorder()

    class LLM:
        def __init__(self, **options: Any) -> None:
            if recorder.error:
                raise recorder.error
            recorder.options = options
            self.llm_engine = SimpleNamespace(model_config=SimpleNamespace(max_model_len=tiny.POSITIONS))

        def generate(self, prompts: list[Any], parameters: list[SamplingParams], use_tqdm: bool = True) -> list[Any]:
            assert not use_tqdm
            recorder.prompts += prompts
            recorder.parameters += parameters
            text, reason = recorder.reply
            tokens = tuple(tiny.words()(text)["input_ids"]) + ((0,) if reason == "stop" else ())
            completion = SimpleNamespace(text="not read", token_ids=tokens, finish_reason=reason)
            return [SimpleNamespace(outputs=[completion]) for _ in prompts]

    vllm = ModuleType("vllm")
    vllm.LLM, vllm.SamplingParams = LLM, SamplingParams  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "vllm", vllm)
    monkeypatch.setattr(answering, "vllm_is_installed", lambda: True)
    return recorder


def ignore(written: int) -> None:
    """What was written is not followed here."""


def ask(student: Path, asked: list[Question], machine: Machine = GPU, **settings: Any) -> list[Sample]:
    config = tiny.configured(student, **settings)
    return [*Answering(Source(str(student), "abc"), "tiny", config, machine)(asked, ignore)]


def test_the_model_is_loaded_safely(student: Path, recorder: Recorder) -> None:
    ask(student, [], seed=3)
    assert recorder.options == {
        "model": str(student), "revision": "abc", "tokenizer_revision": "abc", "dtype": "bfloat16",
        "load_format": "safetensors", "trust_remote_code": False, "seed": 3,
    }  # fmt: skip


def test_our_tokens_and_settings_go_in_and_its_tokens_come_out(student: Path, recorder: Recorder) -> None:
    recorder.reply = (" Oak###more", "length")
    asked = Question("q", 0, prompt="Name a tree.", max_tokens=9, stop=("###",))
    [sample] = ask(student, [asked], temperature=0.2, top_p=0.95)
    tokens = tiny.words()("Name a tree.")["input_ids"]
    assert recorder.prompts == [{"prompt_token_ids": tokens}]
    [given] = recorder.parameters
    assert (given.temperature, given.top_p, given.top_k, given.max_tokens, given.stop) == (0.2, 0.95, -1, 9, ["###"])
    assert sample == Sample(
        "q", 0, text=" Oak", prompt="Name a tree.", finish_reason="stop", prompt_tokens=len(tokens),
        completion_tokens=len(tiny.words()(" Oak###more")["input_ids"]), model="tiny",
    )  # fmt: skip


def test_every_sample_has_a_seed_of_its_own_that_stays(student: Path, recorder: Recorder) -> None:
    asked = [Question(name, sample, prompt="x") for name in "ab" for sample in range(3)]
    ask(student, asked, temperature=1.0)
    ask(student, asked, temperature=1.0, seed=1)
    ask(student, asked[::-1], temperature=1.0)
    seeds = [one.seed for one in recorder.parameters]
    assert len({*seeds[:12]}) == 12
    assert seeds[12:] == seeds[:6][::-1]
    assert all(0 <= seed < 2**32 for seed in seeds)


def test_conversations_go_in_rounds_each_answer_with_a_seed_of_its_own(student: Path, recorder: Recorder) -> None:
    recorder.reply = (" Oak", "stop")
    talks = [Question("q", sample, tiny.said("A?"), follow_ups=("B?",), max_tokens=9) for sample in range(2)]
    config = replace(tiny.configured(student, temperature=1.0), chat_format="freeform")
    found = [*Answering(Source(str(student)), "tiny", config, GPU)([*talks, Question("p", 0, tiny.said("A?"))], ignore)]
    assert [(one.id, one.sample, one.earlier, one.text) for one in found] == [
        ("p", 0, (), " Oak"), ("q", 0, (" Oak",), " Oak"), ("q", 1, (" Oak",), " Oak")
    ]  # fmt: skip
    texts = [tiny.words().decode(one["prompt_token_ids"]) for one in recorder.prompts]
    assert texts == ["A?\n\n### Response:"] * 3 + ["A?\n\n### Response:Oak</s>\n\nB?\n\n### Response:"] * 2
    assert len({one.seed for one in recorder.parameters}) == 5


def test_each_question_has_its_temperature(student: Path, recorder: Recorder) -> None:
    asked = [Question("q", at, prompt="x", temperature=value) for at, value in enumerate((0.7, None, 0.0))]
    ask(student, asked, temperature=0.2)
    ask(student, asked)
    assert [one.temperature for one in recorder.parameters] == [0.7, 0.2, 0.0, 0.7, 0.0, 0.0]


def test_a_first_answer_has_the_seed_that_it_had_before_there_were_turns(student: Path, recorder: Recorder) -> None:
    ask(student, [Question("gsm8k/7", 3, prompt="x")], seed=5)
    digest = hashlib.sha256(b"5/gsm8k/7/3").digest()
    assert recorder.parameters[0].seed == int.from_bytes(digest[:4], "little")


def test_the_end_mark_is_not_text(student: Path, recorder: Recorder) -> None:
    recorder.reply = (" Oak", "stop")
    [sample] = ask(student, [Question("q", 0, prompt="x")])
    assert (sample.text, sample.finish_reason) == (" Oak", "stop")


def test_what_is_too_long_never_reaches_it(student: Path, recorder: Recorder) -> None:
    [sample] = ask(student, [Question("q", 0, prompt="x" * 200)])
    assert sample.cause == "too_long"
    assert recorder.prompts == []


def test_a_model_that_it_cannot_load(student: Path, recorder: Recorder) -> None:
    recorder.error = ValueError("No kernel for this architecture\nand a long story")
    with pytest.raises(UserError, match=r"vLLM cannot load it \(No kernel for this architecture\)\.$"):
        ask(student, [])


def test_auto_takes_it_on_gpus_alone(student: Path, recorder: Recorder) -> None:
    [sample] = ask(student, [Question("q", 0, prompt="x", max_tokens=1)], tiny.CPU)
    assert recorder.options == {}
    assert sample.completion_tokens == 1


def test_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answering, "vllm_is_installed", lambda: False)
    with pytest.raises(UserError, match=r"vLLM is not installed here\. Install it with: pip install vllm"):
        check_backend("vllm")


def test_an_unknown_backend() -> None:
    with pytest.raises(UserError, match=r"backend=vlm: expected one of auto, transformers, vllm\."):
        check_backend("vlm")
