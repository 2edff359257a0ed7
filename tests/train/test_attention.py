"""Attention per document, against softmax written out; and who takes over where there are no documents."""

import math

import pytest
import torch
from transformers import AttentionInterface

from evolray.train import attention
from evolray.train.attention import ISOLATED, isolated_attention

LENGTHS = (5, 1, 9, 3)
HEADS, WIDTH = 4, 8


def inputs(key_value_heads: int, device: str = "cpu", dtype: torch.dtype = torch.float32) -> list[torch.Tensor]:
    """Query (1, H, T, D), key and value (1, Hkv, T, D)."""
    generator = torch.Generator().manual_seed(0)
    return [
        torch.randn(1, heads, sum(LENGTHS), WIDTH, generator=generator).to(device, dtype).requires_grad_()
        for heads in (HEADS, key_value_heads, key_value_heads)
    ]


def boundaries(device: str = "cpu") -> torch.Tensor:
    return torch.tensor([0, *torch.tensor(LENGTHS).cumsum(0)], dtype=torch.int32, device=device)


def by_hand(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, scaling: float) -> torch.Tensor:
    """(1, T, H, D), by one mask over the whole row: the same document, and not later."""
    document = torch.repeat_interleave(torch.arange(len(LENGTHS)), torch.tensor(LENGTHS)).to(query.device)
    place = torch.arange(sum(LENGTHS), device=query.device)
    allowed = (document[:, None] == document[None]) & (place[:, None] >= place[None])
    key, value = (one.repeat_interleave(HEADS // one.shape[1], dim=1) for one in (key, value))
    weights = (query @ key.transpose(2, 3) * scaling).masked_fill(~allowed, -math.inf).softmax(-1)
    return (weights @ value).transpose(1, 2)


@pytest.mark.parametrize("key_value_heads", [4, 2, 1])
@pytest.mark.parametrize("scaling", [None, 0.5])
def test_each_document_sees_itself_alone(key_value_heads: int, scaling: float | None) -> None:
    ours, theirs = inputs(key_value_heads), inputs(key_value_heads)
    out, weights = isolated_attention(
        torch.nn.Identity(), *ours, None, scaling=scaling, cu_seq_lens_q=boundaries(), max_length_q=max(LENGTHS)
    )
    expected = by_hand(*theirs, scaling or WIDTH**-0.5)
    assert weights is None and out.shape == (1, sum(LENGTHS), HEADS, WIDTH)
    assert torch.allclose(out, expected, atol=1e-6)
    for one in (out, expected):
        (one**2).sum().backward()
    for one, other in zip(ours, theirs, strict=True):
        assert one.grad is not None and other.grad is not None
        assert torch.allclose(one.grad, other.grad, atol=1e-5)


def test_without_documents_it_is_the_librarys_own() -> None:
    from transformers.integrations.sdpa_attention import sdpa_attention_forward

    module = torch.nn.Identity()
    module.is_causal, module.num_key_value_groups = True, 2
    query, key, value = inputs(2)
    mask = torch.zeros(1, 1, 1, sum(LENGTHS))
    ours, _ = isolated_attention(module, query, key, value, mask, scaling=0.5)
    assert torch.equal(ours, sdpa_attention_forward(module, query, key, value, mask, scaling=0.5)[0])


def test_dropout_is_passed_on() -> None:
    torch.manual_seed(0)
    query, key, _ = inputs(4)
    ones = torch.ones_like(query)
    out, _ = isolated_attention(
        torch.nn.Identity(), query, key, ones, None, dropout=0.5, cu_seq_lens_q=boundaries(), max_length_q=9
    )
    assert not torch.allclose(out, torch.ones_like(out))
    assert out[0, LENGTHS[0]].max().item() == pytest.approx(2.0)  # a document of one token: kept and doubled, or 0


def test_transformers_knows_it_by_its_name() -> None:
    attention.register()
    assert AttentionInterface()[ISOLATED] is isolated_attention


@pytest.mark.gpu
@pytest.mark.parametrize("key_value_heads", [4, 2, 1])
@pytest.mark.parametrize("autocast", [False, True])
def test_the_kernel_computes_the_same(key_value_heads: int, autocast: bool) -> None:
    if not torch.cuda.is_available():
        pytest.skip("no GPU")
    query, key, value = inputs(key_value_heads, "cuda", torch.bfloat16)
    wide = torch.float32 if autocast else torch.bfloat16  # the rotary embedding gives back fp32 under autocast
    out, _ = isolated_attention(
        torch.nn.Identity(), query.to(wide), key.to(wide), value, None,
        cu_seq_lens_q=boundaries("cuda"), max_length_q=max(LENGTHS),
    )  # fmt: skip
    expected = by_hand(query.float(), key.float(), value.float(), WIDTH**-0.5)
    assert out.dtype == torch.bfloat16
    assert torch.allclose(out.float(), expected, atol=2e-2)
