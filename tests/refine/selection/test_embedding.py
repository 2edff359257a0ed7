"""Instructions as vectors, by a model of sentence-transformers made here: small, random, without network."""

import sys
from pathlib import Path

import numpy as np
import pytest

from evolray.errors import UserError
from evolray.pool.layout import LocalFolder
from evolray.refine.selection import embedding
from evolray.refine.selection.embedding import EmbedRecords, check_model, embed
from evolray.refine.tables import RECORDS_SCHEMA, array_name, write_rows

WORDS = "sort a list of names in python write poem about the sea".split()


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A BERT of one layer and random weights, with mean pooling."""
    modules = pytest.importorskip("sentence_transformers.sentence_transformer.modules")
    from sentence_transformers import SentenceTransformer
    from torch import manual_seed
    from transformers import BertConfig, BertModel, BertTokenizer

    manual_seed(0)
    folder = tmp_path_factory.mktemp("model")
    vocabulary = {word: at for at, word in enumerate(["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS])}
    BertTokenizer(vocab=vocabulary).save_pretrained(folder / "bert")
    config = BertConfig(
        vocab_size=len(vocabulary), hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32,
        max_position_embeddings=64,
    )  # fmt: skip
    BertModel(config).save_pretrained(folder / "bert")
    transformer = modules.Transformer(str(folder / "bert"), max_seq_length=64)
    SentenceTransformer(modules=[transformer, modules.Pooling(16)], device="cpu").save(str(folder / "whole"))
    return str(folder / "whole")


@pytest.mark.parametrize("texts", [["sort a list", "write a poem about the sea", "sort a list", ""]])
def test_vectors_are_of_length_one_and_follow_the_text(texts: list[str], model: str) -> None:
    found = embed(texts, model)
    assert found.shape == (4, 16) and found.dtype == np.float32
    assert np.allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)
    assert np.allclose(found[0], found[2], atol=1e-5) and not np.allclose(found[0], found[1], atol=1e-2)


def test_long_and_strange_texts_have_a_vector(model: str) -> None:
    found = embed(["sea " * 30_000, "\x00\u202e<script>", "海" * 10_000], model)
    assert np.isfinite(found).all()


def test_marked_records_are_embedded_shard_by_shard(tmp_path: Path, model: str) -> None:
    folder = LocalFolder(str(tmp_path))
    texts = ["sort a list", "write a poem", "the sea", "sort names", "python"]
    for shard, part in ((0, texts[:2]), (1, []), (7, texts[2:])):
        rows = [{"instruction": text} for text in part]
        write_rows(folder, f"records/{shard:05d}.parquet", rows, RECORDS_SCHEMA)
    mask = np.array([False, True, True, False, True])
    step = EmbedRecords(model, mask, (0, 1, 7), np.array([0, 2, 2, 5]))
    assert [step.run(folder, shard) for shard in (7, 0, 1)] == [{"records": 2}, {"records": 1}, {"records": 0}]
    everything = step.read(folder, np.array([1, 2, 4]))
    assert np.allclose(everything, embed([texts[1], texts[2], texts[4]], model), atol=1e-5)
    assert step.read(folder, np.array([1, 4])).tolist() == everything[[0, 2]].tolist()
    assert step.read(folder, np.array([], np.int64)).shape == (0, 0)
    again = folder.read(array_name("embeddings", 7))
    step.run(folder, 7)
    assert folder.read(array_name("embeddings", 7)) == again


def test_no_text_needs_no_model() -> None:
    assert embed([], "/no/such/model").shape == (0, 0)


def test_a_missing_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sentence_transformers", None)
    with pytest.raises(UserError, match=r"pip install 'evolray\[embed\]'"):
        embed(["a"], "any")
    monkeypatch.setattr(embedding, "find_spec", lambda _: None)
    with pytest.raises(UserError, match=r"pip install 'evolray\[embed\]'"):
        check_model("any")


def test_a_missing_model_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedding, "find_spec", lambda _: object())
    with pytest.raises(UserError, match="/no/such/model: no such folder"):
        check_model("/no/such/model")
    check_model(str(tmp_path))
    check_model("sentence-transformers/all-MiniLM-L6-v2")


def test_a_broken_model_is_named(tmp_path: Path) -> None:
    pytest.importorskip("sentence_transformers")
    with pytest.raises(UserError, match="cannot be loaded"):
        embed(["a"], str(tmp_path))


def test_too_many_records_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedding, "MOST_RECORDS", 3)
    EmbedRecords("any", np.array([True, True, True, False]), (0,), np.array([0, 4]))
    with pytest.raises(UserError, match=r"at most 3 records and 4 are left.*order=diverse"):
        EmbedRecords("any", np.ones(4, np.bool_), (0,), np.array([0, 4]))
