"""Attention for packed rows: every document by itself, so that none sees another and no mask is built.

transformers isolates packed documents by a mask over the whole row, which costs the square of the row's length. Here a
row costs the sum of the squares of its documents, with torch alone: on GPUs torch's variable-length flash kernel,
elsewhere one causal call of scaled_dot_product_attention per document. Registered with transformers as `isolated`; a
forward pass without document boundaries (`cu_seq_lens_q`), as in generation, is handed to transformers' own sdpa.
"""

import copy
from typing import Any

import torch
from torch.nn.functional import scaled_dot_product_attention

ISOLATED, PROBE = "isolated", "isolated_probe"
DROPPED = ("softcap", "s_aux", "position_bias")  # what some architectures add to their scores, and we would not


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


def isolates(config: Any) -> bool:
    """Whether a student of this config gives the boundaries to the attention of every layer, and we can do its sums.

    Found out by a forward pass on torch's meta device, which has no numbers and takes no time. Some architectures have
    attention code of their own or lose the boundaries on the way: packed, their documents would see each other, and
    nobody would be told.
    """
    from transformers import AttentionInterface, AutoModelForCausalLM

    calls: list[bool] = []

    def probe(
        module: torch.nn.Module, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, *_: Any, **others: Any
    ) -> tuple[torch.Tensor, None]:
        calls.append(others.get("cu_seq_lens_q") is not None and all(others.get(name) is None for name in DROPPED))
        return value.new_empty(1, query.shape[2], query.shape[1], value.shape[3]), None

    AttentionInterface.register(PROBE, probe)
    config = copy.deepcopy(config)
    config.get_text_config().pad_token_id = None  # else some look for padding in the ids, of which there are none
    try:
        with torch.device("meta"):
            model: Any = AutoModelForCausalLM.from_config(  # type: ignore[no-untyped-call]
                config, attn_implementation=PROBE, dtype=torch.bfloat16
            )
            row, boundaries = torch.zeros(1, 4, dtype=torch.long), torch.zeros(3, dtype=torch.int32)
            model(
                input_ids=row, position_ids=row, cu_seq_lens_q=boundaries, cu_seq_lens_k=boundaries,
                max_length_q=2, max_length_k=2, use_cache=False,
            )  # fmt: skip
    except Exception:  # an architecture that takes no attention from outside says so in many ways
        return False
    return len(calls) == config.get_text_config().num_hidden_layers and all(calls)


def register() -> None:
    """Make `isolated` known to transformers, which builds no mask for a name it has none for."""
    from transformers import AttentionInterface

    AttentionInterface.register(ISOLATED, isolated_attention)
