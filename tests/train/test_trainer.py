"""The whole path of a worker: how examples lie in a batch changes nothing that is learnt; stops, resumes, adapters."""

import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch.nn.functional import cross_entropy
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig, LlamaForCausalLM

from evolray.checkpoints import Checkpoint, Checkpoints, verify
from evolray.config import LoraConfig, TrainConfig
from evolray.train import attention
from evolray.train.batches import Batches
from evolray.train.seen import Seen
from evolray.train.tokenising.store import Document
from evolray.train.trainer import IGNORED, Feed, packed, padded
from tests.train import small

NewRun = Callable[..., TrainConfig]
CLOSE = 1e-5
LENGTHS = (17, 1, 40, 9, 23)  # the document of one token has nothing to attend to but itself
END = 1


# --- what a batch holds ---


def document(length: int, seed: int = 0, untrained: int = 0) -> Document:
    ids = np.random.default_rng([seed, length]).integers(3, 97, length).astype(np.int32)
    return Document(f"id-{length}", ids, np.arange(length) >= untrained)


def documents() -> list[Document]:
    return [document(length, place, untrained=length // 3) for place, length in enumerate(LENGTHS)]


def test_packed_documents_lie_end_to_end() -> None:
    first = Document("a", np.array([5, 6, 7], np.int32), np.array([False, True, True]))
    second = Document("b", np.array([8, 9], np.int32), np.array([True, True]))
    batch = packed([first, second])
    assert batch["input_ids"].tolist() == [[5, 6, 7, 8, 9]]
    assert batch["position_ids"].tolist() == [[0, 1, 2, 0, 1]]
    # 8 is the first token of a document: there is nothing to foretell it from, whatever its mask says.
    assert batch["labels"].tolist() == [[IGNORED, 6, 7, IGNORED, 9]]
    assert batch["cu_seq_lens_q"].tolist() == batch["cu_seq_lens_k"].tolist() == [0, 3, 5]
    assert batch["cu_seq_lens_q"].dtype == torch.int32
    assert batch["max_length_q"] == batch["max_length_k"] == 3


def test_padded_documents_lie_below_each_other() -> None:
    first = Document("a", np.array([5, 6, 7], np.int32), np.array([False, True, True]))
    second = Document("b", np.array([8, 9], np.int32), np.array([True, True]))
    batch = padded([first, second], pad_token_id=2)
    assert batch["input_ids"].tolist() == [[5, 6, 7], [8, 9, 2]]
    assert batch["labels"].tolist() == [[IGNORED, 6, 7], [IGNORED, 9, IGNORED]]
    assert batch["attention_mask"].tolist() == [[1, 1, 1], [1, 1, 0]]


def test_a_label_that_equals_the_padding_still_counts() -> None:
    """Where the end mark serves as padding, it must be learnt all the same."""
    one = Document("a", np.array([5, END], np.int32), np.array([False, True]))
    assert padded([one, document(4)], pad_token_id=END)["labels"][0].tolist() == [IGNORED, END, IGNORED, IGNORED]


@pytest.mark.parametrize("packing", [True, False])
def test_a_worker_without_an_example_computes_a_loss_of_nothing(packing: bool) -> None:
    batches = Batches(np.array([4]), 1, 1, 0, workers=2, accumulation=1, packing=packing)
    feed = Feed({7: document(4)}, np.array([7]), batches, pad_token_id=2)  # type: ignore[arg-type]
    full, empty = feed([{"item": 0}]), feed([{"item": 1}])
    assert (full["ids"], empty["ids"]) == (["id-4"], [])
    assert empty["input_ids"].tolist() == [[2]]
    assert empty["labels"].tolist() == [[IGNORED]]


# --- logits: packed, padded, alone ---


def model_of(attention_name: str, key_value_heads: int, architecture: str = "llama") -> Any:
    """In train mode, as in training; without dropout two passes are comparable."""
    attention.register()
    torch.manual_seed(3)
    if architecture == "gpt2":  # positions are added up front, so that wrong ones show whatever the attention
        from transformers import GPT2Config, GPT2LMHeadModel

        shape = GPT2Config(
            vocab_size=97,
            n_positions=128,
            n_embd=32,
            n_layer=2,
            n_head=4,
            resid_pdrop=0.0,
            embd_pdrop=0.0,
            attn_pdrop=0.0,
            bos_token_id=None,
            eos_token_id=END,
            attn_implementation=attention_name,
        )
        return GPT2LMHeadModel(shape).train()
    config = LlamaConfig(
        vocab_size=97,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=key_value_heads,
        max_position_embeddings=128,
        bos_token_id=None,
        eos_token_id=END,
        pad_token_id=2,
        attn_implementation=attention_name,
    )
    return LlamaForCausalLM(config).train()


def logits_of(model: Any, batch: dict[str, Any]) -> torch.Tensor:
    inputs = {key: value for key, value in batch.items() if key not in ("labels", "ids")}
    with torch.no_grad():
        logits: torch.Tensor = model(**inputs, use_cache=False).logits
    return logits


def alone(key_value_heads: int, architecture: str = "llama") -> torch.Tensor:
    """(T, V) of each document by itself in plain transformers, end to end."""
    model = model_of("eager", key_value_heads, architecture)
    rows = [torch.tensor(one.input_ids[None].astype(np.int64)) for one in documents()]
    return torch.cat([logits_of(model, {"input_ids": row})[0] for row in rows])


def distance(left: torch.Tensor, right: torch.Tensor) -> float:
    assert left.shape == right.shape
    return float((left - right).abs().max())


@pytest.mark.parametrize("name", ["isolated", "sdpa", "eager"])
@pytest.mark.parametrize("key_value_heads", [4, 2, 1])
def test_logits_of_packed_documents_are_those_of_each_alone(name: str, key_value_heads: int) -> None:
    packed_logits = logits_of(model_of(name, key_value_heads), packed(documents()))[0]
    assert distance(packed_logits, alone(key_value_heads)) < CLOSE


def test_logits_of_padded_documents_are_those_of_each_alone() -> None:
    rows = logits_of(model_of("sdpa", 2), padded(documents(), pad_token_id=2))
    real = torch.cat([row[:length] for row, length in zip(rows, LENGTHS, strict=True)])
    assert distance(real, alone(2)) < CLOSE


def test_positions_start_anew_in_every_document() -> None:
    assert distance(logits_of(model_of("isolated", 4, "gpt2"), packed(documents()))[0], alone(4, "gpt2")) < CLOSE


def test_the_comparison_finds_a_document_that_sees_the_one_before() -> None:
    whole = torch.tensor([0, sum(LENGTHS)], dtype=torch.int32)
    running = torch.arange(sum(LENGTHS))[None]
    batch = packed(documents())
    without = {key: value for key, value in batch.items() if not key.startswith(("cu_seq", "max_length"))}
    leaks: list[tuple[Any, torch.Tensor, dict[str, Any]]] = [
        (model_of("isolated", 2), alone(2), {**batch, "cu_seq_lens_q": whole, "max_length_q": sum(LENGTHS)}),
        (model_of("isolated", 2), alone(2), without),
        (model_of("sdpa", 2), alone(2), {**batch, "position_ids": running}),
        (model_of("isolated", 4, "gpt2"), alone(4, "gpt2"), {**batch, "position_ids": running}),
    ]
    for model, expected, leaky in leaks:
        assert distance(logits_of(model, leaky)[0], expected) > 100 * CLOSE
    # The first document has none before it: what differs is the leak and nothing else.
    for model, expected, leaky in leaks:
        assert distance(logits_of(model, leaky)[0][: LENGTHS[0]], expected[: LENGTHS[0]]) < CLOSE


def test_gradients_of_packed_documents_are_the_sum_of_each_alone() -> None:
    def gradients(name: str, batches: Sequence[dict[str, Any]]) -> list[torch.Tensor]:
        model = model_of(name, 2)
        for batch in batches:
            inputs = {key: value for key, value in batch.items() if key != "labels"}
            logits = model(**inputs, use_cache=False).logits
            cross_entropy(logits[:, :-1].flatten(0, 1), batch["labels"][:, 1:].flatten(), reduction="sum").backward()
        return [one.grad for one in model.parameters()]

    together = gradients("isolated", [packed(documents())])
    apart = gradients("eager", [padded([one], 2) for one in documents() if len(one.input_ids) > 1])
    scale = max(float(one.abs().max()) for one in apart)
    assert all(distance(a, b) < CLOSE * scale for a, b in zip(together, apart, strict=True))


# --- losses and weights through the whole trainer ---

PACKED = {"packing": True}
SAME = {
    "one packed pass": {**PACKED, "micro_batch_tokens": 2048},
    "many packed passes": {**PACKED, "micro_batch_tokens": 130},
    "packed in sdpa": {**PACKED, "micro_batch_tokens": 200, "attention": "sdpa"},
    "one padded pass": {"packing": False, "micro_batch_tokens": 2048},
    "many padded passes": {"packing": False, "micro_batch_tokens": 200},
    "padded, one by one": {"packing": False, "micro_batch_tokens": 85},
    "recomputed": {**PACKED, "gradient_checkpointing": True},
}


@pytest.mark.parametrize("shape", ["grouped", "tied"])
def test_packing_and_passes_change_no_loss_and_no_weight(
    new_run: NewRun, tmp_path: Path, student: Path, shape: str
) -> None:
    model = student if shape == "grouped" else small.write_student(tmp_path / "tied", small.HEADS, tied=True)
    runs = {name: new_run(15, model, held_out=0.2, **changes) for name, changes in SAME.items()}
    accumulations = {name: small.job_of(config).accumulation for name, config in runs.items()}
    assert accumulations["one packed pass"] == accumulations["one padded pass"] == 1
    assert accumulations["many packed passes"] > 1 < accumulations["many padded passes"]
    assert accumulations["padded, one by one"] == 4
    done = {name: small.trained(config) for name, config in runs.items()}
    expected = reference(runs["one packed pass"])
    for name, one in done.items():
        assert one.outcome.finished and one.outcome.step == 8, name
        assert one.recorder.losses == pytest.approx(expected.losses, abs=CLOSE), name
        held_out = [checkpoint.held_out_loss for checkpoint in one.checkpoints]
        assert held_out == pytest.approx(expected.held_out_losses, abs=CLOSE), name
        weights = small.loaded(one.last.path).state_dict()
        for key, value in expected.model.state_dict().items():
            # Adam divides by gradients near zero, where rounding decides: a hundredth of the step is let go
            assert distance(weights[key], value) < 1e-2 * runs[name].learning_rate, (name, key)
    assert len({one.last.about["examples_digest"] for one in done.values()}) == 1
    assert expected.losses[0] - expected.losses[-1] > 0.3  # it has learnt, so equal losses say something


class Reference:
    """The same training by hand: plain transformers, one example at a time, labels from the masks."""

    def __init__(self, config: TrainConfig) -> None:
        self.model = small.loaded(Path(config.model)).train()
        self.losses: list[float] = []
        self.held_out_losses: list[float] = []
        train, self._held_out = small.documents_of(config), small.documents_of(config, held_out=True)
        assert train and self._held_out
        optimizer = torch.optim.AdamW(
            self.model.parameters(), config.learning_rate, (0.9, 0.999), config.adam_epsilon, config.weight_decay
        )
        steps_per_epoch = math.ceil(len(train) / config.global_batch)
        steps = steps_per_epoch * config.epochs
        for step in range(steps):
            epoch, position = divmod(step, steps_per_epoch)
            order = np.random.Generator(np.random.PCG64([config.seed, epoch])).permutation(len(train))
            numbers = order[position * config.global_batch : (position + 1) * config.global_batch]
            self._step([train[number] for number in numbers], optimizer, rate(config, step, steps))
            if position == steps_per_epoch - 1:
                self.held_out_losses.append(self._held_out_loss())

    def _step(self, examples: Sequence[Document], optimizer: torch.optim.Optimizer, rate: float) -> None:
        optimizer.zero_grad()
        num_trained = sum(int(one.trained[1:].sum()) for one in examples)
        total = 0.0
        for one in examples:
            loss = self._summed(one) / num_trained
            loss.backward()
            total += loss.item()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        for group in optimizer.param_groups:
            group["lr"] = rate
        optimizer.step()
        self.losses.append(total)

    def _summed(self, one: Document) -> torch.Tensor:
        ids = torch.tensor(one.input_ids.astype(np.int64))
        likelihoods = self.model(input_ids=ids[None]).logits[0].log_softmax(-1)
        terms = [likelihoods[at - 1, ids[at]] for at in range(1, len(ids)) if one.trained[at]]
        return -torch.stack(terms).sum()

    def _held_out_loss(self) -> float:
        with torch.no_grad():
            total = sum(float(self._summed(one)) for one in self._held_out)
        return total / sum(int(one.trained[1:].sum()) for one in self._held_out)


def rate(config: TrainConfig, step: int, steps: int) -> float:
    """Linear warm-up, then half a cosine down to zero."""
    if step < config.warmup_steps:
        return config.learning_rate * step / config.warmup_steps
    share = (step - config.warmup_steps) / (steps - config.warmup_steps)
    return config.learning_rate * 0.5 * (1 + math.cos(math.pi * share))


def reference(config: TrainConfig) -> Reference:
    return Reference(config)


def test_an_epoch_may_end_in_a_short_step_with_passes_that_hold_nothing(new_run: NewRun) -> None:
    """What the runs above went through, so that their equality covers it."""
    config = new_run(15, held_out=0.2, **SAME["padded, one by one"])
    num_train = len(small.documents_of(config))
    assert 0 < num_train % config.global_batch < small.job_of(config).accumulation


def test_the_schedule_ends_at_max_steps(new_run: NewRun) -> None:
    done = small.trained(new_run(14, max_steps=5, checkpoint_steps=2))
    assert (done.outcome.step, done.outcome.finished) == (5, True)
    assert [checkpoint.step for checkpoint in done.checkpoints] == [2, 4, 5]
    assert len(done.recorder.losses) == 5
    assert done.recorder.told[-1].learning_rate == pytest.approx(5e-3 * 0.5 * (1 + math.cos(math.pi * 3 / 4)))


@pytest.mark.parametrize("schedule", ["linear", "constant"])
def test_the_learning_rate_follows_the_schedule(new_run: NewRun, schedule: str) -> None:
    config = new_run(6, schedule=schedule, warmup_steps=2, learning_rate=1e-3, global_batch=2)
    rates = [figures.learning_rate for figures in small.trained(config).recorder.told]
    after = {"linear": [1e-3, 0.75e-3, 0.5e-3, 0.25e-3], "constant": [1e-3] * 4}
    assert rates == pytest.approx([0, 0.5e-3, *after[schedule]])


def test_half_precision_learns_about_the_same(new_run: NewRun) -> None:
    full, half = (small.trained(new_run(14, precision=precision)) for precision in ("fp32", "bf16"))
    assert half.recorder.losses == pytest.approx(full.recorder.losses, abs=0.02)
    assert half.recorder.losses != pytest.approx(full.recorder.losses, abs=1e-6)


# --- what a checkpoint says and holds ---


def test_a_checkpoint_is_a_plain_folder_that_knows_where_it_came_from(new_run: NewRun) -> None:
    config = new_run(14, held_out=0.2)
    last = small.trained(config).last
    verify(last)
    num_train = len(small.documents_of(config))
    model = AutoModelForCausalLM.from_pretrained(last.path)
    tokenizer = AutoTokenizer.from_pretrained(last.path)
    assert tokenizer.chat_template == small.tokenizer().chat_template
    assert model.dtype == torch.float32 and not [*last.path.glob("*.bin")]
    assert (last.step, last.about["epoch"], last.about["workers"]) == (6, 2.0, 1)
    assert last.about["model"] == config.model
    assert last.about["examples_seen"] == 2 * num_train
    assert last.about["examples_digest"] == digest(config)
    assert last.about["tokens_seen"] == 2 * sum(len(one.input_ids) for one in small.documents_of(config))
    assert {name for name in last.about["files"] if name.startswith("state/")} == {
        "state/optimizer.pt", "state/rng_state.pth", "state/scheduler.pt", "state/trainer_state.json"
    }  # fmt: skip
    generated = model.generate(
        **tokenizer.apply_chat_template(
            [{"role": "user", "content": "Name a tree."}],
            add_generation_prompt=True,
            return_tensors="pt",
            return_dict=True,
        ),
        max_new_tokens=3,
        do_sample=False,
    )
    assert generated.shape[1] > 3


def digest(config: TrainConfig) -> str:
    """Of all examples in every epoch, whatever their order."""
    seen = Seen()
    for epoch in range(config.epochs):
        seen.add((one.id for one in small.documents_of(config)), epoch)
    return seen.hexadecimal


def test_only_the_checkpoints_to_keep_stay(new_run: NewRun) -> None:
    done = small.trained(new_run(14, checkpoint_steps=1, keep_checkpoints=2))
    assert [checkpoint.step for checkpoint in done.checkpoints] == [7, 8]
    assert [one["step"] for one in done.recorder.checkpoints] == [1, 2, 3, 4, 5, 6, 7, 8]


# --- stops and resumes ---

RESUMED = {
    "packed": {},
    "many passes": {"micro_batch_tokens": 130},
    "padded": {"packing": False, "micro_batch_tokens": 200},
    "adapter": {"lora": LoraConfig(rank=4, dropout=0.2), "learning_rate": 2e-2},
}


@pytest.mark.parametrize("kind", RESUMED)
def test_a_stopped_training_goes_on_as_if_it_had_not_been(new_run: NewRun, kind: str) -> None:
    changes = {"held_out": 0.2, "checkpoint_steps": 2, **RESUMED[kind]}
    whole = small.trained(new_run(14, **changes))
    config = new_run(14, **changes)
    first = small.trained(config, stop_at=3)
    assert (first.outcome.step, first.outcome.finished, first.outcome.diverged) == (3, False, "")
    assert [checkpoint.step for checkpoint in first.checkpoints] == [2, 3]  # one where it was stopped
    second = small.trained(config)
    assert (second.outcome.step, second.outcome.finished) == (6, True)
    assert [*first.recorder.losses, *second.recorder.losses] == whole.recorder.losses
    assert same_weights(second.last, whole.last)
    for key in ("examples_seen", "examples_digest", "tokens_seen", "epoch", "loss", "held_out_loss"):
        assert second.last.about[key] == whole.last.about[key], key
    assert second.last.about["examples_digest"] == digest(config)
    steps = [json.loads(line)["step"] for line in (Path(config.run) / "log.jsonl").read_text().splitlines()]
    assert sorted({*steps}) == [1, 2, 3, 4, 5, 6]
    assert [figures.examples for figures in second.recorder.told if figures.loss][-1] == whole.last.about[
        "examples_seen"
    ]


def same_weights(left: Checkpoint, right: Checkpoint) -> bool:
    one, other = (load_file(checkpoint.path / "model.safetensors") for checkpoint in (left, right))
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def test_a_training_may_go_on_with_other_passes(new_run: NewRun) -> None:
    """Packing and passes are no part of what is learnt, so that a smaller machine can go on with the run."""
    whole = small.trained(new_run(14))
    config = new_run(14, micro_batch_tokens=130)
    small.trained(config, stop_at=3)
    config.packing, config.micro_batch_tokens = False, 200
    second = small.trained(config)
    assert second.recorder.losses == pytest.approx(whole.recorder.losses[3:], abs=CLOSE)
    assert second.last.about["examples_digest"] == whole.last.about["examples_digest"] == digest(config)


def test_a_finished_training_is_not_done_again(new_run: NewRun) -> None:
    config = new_run(14)
    first = small.trained(config)
    again = small.trained(config)
    assert again.outcome == first.outcome
    assert again.recorder.told == []
    assert again.last.about == first.last.about


def test_a_stop_at_the_last_step_is_a_finish(new_run: NewRun) -> None:
    done = small.trained(new_run(8), stop_at=4)
    assert (done.outcome.step, done.outcome.finished) == (4, True)


# --- losses that are no number ---

POISON = "%"  # in no example of small.examples


def poisoned_student(folder: Path) -> Path:
    """A student whose logits are no number once it has read a poison."""
    small.write_student(folder)
    model = small.loaded(folder)
    [token] = small.tokenizer()(POISON, add_special_tokens=False)["input_ids"]
    with torch.no_grad():
        model.get_input_embeddings().weight[token] = math.nan
    model.save_pretrained(folder)
    return folder


@pytest.mark.parametrize("packing", [True, False])
def test_a_loss_that_is_no_number_stops_with_the_ids_of_its_pass(
    new_run: NewRun, tmp_path: Path, packing: bool
) -> None:
    config = new_run(
        14, poisoned_student(tmp_path / "poisoned"), checkpoint_steps=1, micro_batch_tokens=200, packing=packing
    )
    examples = small.examples(14)
    bad = examples[9]
    bad.messages[0]["content"] += POISON
    small.write_examples(Path(config.run), examples, config)
    done = small.trained(config)
    order = np.random.Generator(np.random.PCG64([config.seed, 0])).permutation(14).tolist()
    step = order.index(9) // config.global_batch
    assert step > 0  # else the test would not see that earlier checkpoints stay
    of_step = {examples[number].id for number in order[step * 4 : step * 4 + 4]}
    assert not done.outcome.finished
    message = done.outcome.diverged
    assert message.startswith(f"the loss is no number any more at step {step + 1}, with these examples: data.jsonl:")
    named = {*message.split("examples: ")[1].split(". Look")[0].split(", ")}
    assert bad.id in named < of_step
    assert [checkpoint.step for checkpoint in done.checkpoints] == [*range(1, step + 1)]
    assert all(math.isfinite(loss) for loss in done.recorder.losses[:step])
    again = small.trained(config)
    assert again.outcome == done.outcome
    assert [checkpoint.step for checkpoint in again.checkpoints] == [*range(1, step + 1)]


def test_a_student_that_is_no_number_from_the_start_leaves_no_checkpoint(new_run: NewRun, tmp_path: Path) -> None:
    student = small.write_student(tmp_path / "nan")
    model = small.loaded(student)
    with torch.no_grad():
        model.model.norm.weight.fill_(math.nan)
    model.save_pretrained(student)
    config = new_run(30, student, global_batch=30, epochs=1)
    done = small.trained(config)
    assert (done.outcome.step, done.outcome.finished, done.checkpoints) == (1, False, [])
    assert done.outcome.diverged.count("data.jsonl:") == 20
    assert " and 10 more. Look at them" in done.outcome.diverged
    assert done.recorder.checkpoints == []


# --- adapters ---


def test_a_checkpoint_of_an_adapter_is_the_base_with_it_merged_in(new_run: NewRun, student: Path) -> None:
    from peft import PeftModel

    done = small.trained(new_run(14, lora=LoraConfig(rank=4), learning_rate=2e-2))
    last = done.last
    verify(last)
    merged, base = small.loaded(last.path), small.loaded(student)
    assert [*merged.state_dict()] == [*base.state_dict()]
    assert not {"adapter_config.json", "adapter_model.safetensors"} & {path.name for path in last.path.iterdir()}
    adapted = PeftModel.from_pretrained(small.loaded(student), last.state / "adapter").eval()
    ids = {"input_ids": torch.arange(3, 40)[None]}
    with torch.no_grad():
        expected = adapted(**ids).logits
        assert distance(merged.eval()(**ids).logits, expected) < CLOSE
        assert distance(base.eval()(**ids).logits, expected) > 100 * CLOSE
    changed = {name for name, value in merged.state_dict().items() if not torch.equal(value, base.state_dict()[name])}
    assert len(changed) == 2 * 7 and all("proj" in name for name in changed)
    assert done.recorder.losses[-1] < done.recorder.losses[0] - 0.05


def test_adapters_go_where_they_are_wanted(new_run: NewRun, student: Path) -> None:
    done = small.trained(new_run(4, lora=LoraConfig(rank=2, targets=["q_proj", "v_proj"])))
    merged, base = (small.loaded(folder).state_dict() for folder in (done.last.path, student))
    changed = {name.split(".")[-2] for name, value in merged.items() if not torch.equal(value, base[name])}
    assert changed == {"q_proj", "v_proj"}


def test_packing_changes_no_loss_of_an_adapter(new_run: NewRun) -> None:
    changes: list[dict[str, Any]] = [
        {},
        {"packing": False},
        {"micro_batch_tokens": 130, "gradient_checkpointing": True},
    ]
    adapter = {"lora": LoraConfig(rank=4), "learning_rate": 2e-2}
    first, *others = [small.trained(new_run(14, **adapter, **some)).recorder.losses for some in changes]
    for other in others:
        assert other == pytest.approx(first, abs=CLOSE)


def test_a_reader_finds_the_checkpoints_of_a_run(new_run: NewRun) -> None:
    config = new_run(14, held_out=0.2)
    done = small.trained(config)
    best = Checkpoints(config.run).best()
    assert best is not None
    assert best.held_out_loss == min(one.held_out_loss or math.inf for one in done.checkpoints)
    assert [figures.held_out_loss for figures in done.recorder.told if figures.held_out_loss] == [
        checkpoint.held_out_loss for checkpoint in done.checkpoints
    ]
