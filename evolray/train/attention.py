"""Attention for packed rows: every document by itself, so that none sees another and no mask is built.

transformers isolates packed documents by a mask over the whole row, which costs the square of the row's length. Here a
row costs the sum of the squares of its documents, with torch alone: on GPUs torch's variable-length flash kernel,
elsewhere one causal call of scaled_dot_product_attention per document. Registered with transformers as `isolated`; a
forward pass without document boundaries (`cu_seq_lens_q`), as in generation, is handed to transformers' own sdpa.
"""

from typing import Any

import torch
from torch.nn.functional import scaled_dot_product_attention

ISOLATED = "isolated"


def isolated_attention(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float | None = None,
    dropout: float = 0.0,
    cu_seq_lens_q: torch.Tensor | None = None,
    max_length_q: int | None = None,
    **others: Any,
) -> tuple[torch.Tensor, None]:
    """Query (1, H, T, D), key and value (1, Hkv, T, D), boundaries (documents + 1,) -> (1, T, H, D)."""
    if cu_seq_lens_q is None or max_length_q is None:
        from transformers.integrations.sdpa_attention import sdpa_attention_forward

        out, _ = sdpa_attention_forward(
            module, query, key, value, attention_mask, dropout=dropout, scaling=scaling, **others
        )
        return out, None
    if query.is_cuda and value.dtype in (torch.bfloat16, torch.float16):
        # Under autocast the rotary embedding gives back fp32, which the kernel does not take.
        query, key = query.to(value.dtype), key.to(value.dtype)
        return _by_kernel(query, key, value, cu_seq_lens_q, max_length_q, scaling), None
    return _by_document(query, key, value, cu_seq_lens_q.diff().tolist(), scaling, dropout), None


def _by_kernel(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    boundaries: torch.Tensor,
    longest: int,
    scaling: float | None,
) -> torch.Tensor:
    from torch.nn.attention.varlen import varlen_attn

    query, key, value = (one[0].transpose(0, 1).contiguous() for one in (query, key, value))  # (T, H, D)
    causal = {"window_size": (-1, 0)}
    grouped = {"enable_gqa": True} if query.shape[1] != key.shape[1] else {}
    out = varlen_attn(query, key, value, boundaries, boundaries, longest, longest, scale=scaling, **causal, **grouped)  # type: ignore[arg-type]
    assert isinstance(out, torch.Tensor)
    return out[None]


def _by_document(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    lengths: list[int],
    scaling: float | None,
    dropout: float,
) -> torch.Tensor:
    grouped = query.shape[1] != key.shape[1]
    documents = zip(*(torch.split(one, lengths, dim=2) for one in (query, key, value)), strict=True)
    outs = [
        scaled_dot_product_attention(q, k, v, dropout_p=dropout, is_causal=True, scale=scaling, enable_gqa=grouped)
        for q, k, v in documents
    ]
    return torch.cat(outs, dim=2).transpose(1, 2)


def register() -> None:
    """Make `isolated` known to transformers, which builds no mask for a name it has none for."""
    from transformers import AttentionInterface

    AttentionInterface.register(ISOLATED, isolated_attention)
