"""The student's tokenizer: loaded, and dressed for a chat format.

Dressing changes as little as it can. The end mark and the padding come from what the vocabulary has; a token is added
only where no end mark can be found, because every added token makes the checkpoint's vocabulary differ from the one
that its base model's tools expect.
"""

import os
import re
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from evolray.chat import FORMATS, Message, begin_mark, chat_template
from evolray.errors import UserError

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

# Marks that end a text in well-known vocabularies, the likelier first.
END_TOKENS = (
    "</s>", "<|endoftext|>", "<|end_of_text|>", "<eos>", "<|eos|>", "[EOS]", "<|im_end|>", "<|eot_id|>",
    "<end_of_turn>", "<|end|>", "<EOS>", "[SEP]",
)  # fmt: skip
NEW_END_TOKEN = "</s>"
PAD_TOKENS = (
    "<pad>", "[PAD]", "<|pad|>", "<PAD>", "<|padding|>", "<|finetune_right_pad_id|>", "<pad_token>", "<|PAD_TOKEN|>",
)  # fmt: skip

_CONTENT = "qzxj"  # stands for what people say; tokens that lie in it alone are not the format's business


@dataclass(frozen=True)
class Outfit:
    """What the tokenizer was given. `begin` is the mark that opens every text, "" for none."""

    end_token: str
    pad_token: str
    begin: str
    added_tokens: tuple[str, ...]


def load_tokenizer(model: str) -> "PreTrainedTokenizerFast":
    """The tokenizer of a local folder or of a model on the Hub.

    Raises UserError when there is none, it cannot be loaded, or it is not a fast one: masks need to know which
    characters a token covers, and only the fast ones tell.
    """
    from transformers import AutoTokenizer

    path = os.path.expanduser(model)
    if model.startswith(("/", "./", "../", "~")) and not os.path.isdir(path):
        raise UserError(
            f"{model}: there is no such folder; expected one with a tokenizer, or a model's name on the Hub."
        )
    tokenizer: Any
    try:
        tokenizer = AutoTokenizer.from_pretrained(path if os.path.isdir(path) else model)
    except Exception as error:  # the library, the Hub's client and the file readers raise all sorts
        reason = (str(error).strip().splitlines() or [""])[0][:300]
        hint = "Check the folder or the name, and that the Hub can be reached if it is a name"
        raise UserError(f"{model}: no tokenizer can be loaded: {type(error).__name__}: {reason}. {hint}.") from error
    if not tokenizer.is_fast:
        raise UserError(
            f"{model}: has a slow tokenizer ({type(tokenizer).__name__}), which cannot tell which characters a "
            "token covers. Expected a tokenizer.json; save the folder anew from the fast class of this tokenizer."
        )
    return cast("PreTrainedTokenizerFast", tokenizer)


def dress(tokenizer: "PreTrainedTokenizerFast", chat_format: str) -> Outfit:
    """Set the chat template, end mark and padding in place; saved with the tokenizer, they serve every reader.

    The padding may be the end mark or the mark for the unknown: masks here go by position, never by the padding's id.
    Raises UserError for an unknown format, and when the tokenizer cannot write the format's own words.
    """
    if chat_format not in FORMATS:
        raise UserError(f"unknown chat format {chat_format!r}; expected one of {', '.join(FORMATS)}.")
    num_tokens = len(tokenizer)
    _set_end(tokenizer)
    _set_pad(tokenizer)
    tokenizer.padding_side = "right"
    begin = begin_mark(tokenizer)
    tokenizer.chat_template = chat_template(chat_format, begin)
    _check_holds(tokenizer, chat_format, begin)
    end_token, pad_token = str(tokenizer.eos_token), str(tokenizer.pad_token)
    return Outfit(end_token, pad_token, begin, (end_token,) if len(tokenizer) > num_tokens else ())


def grow_embeddings(model: "PreTrainedModel", tokenizer: "PreTrainedTokenizerFast") -> int:
    """Give the model rows for tokens that it has none for; the number of new rows.

    A new row, of the input as of the output embedding, is the mean of the old ones: a token's first logit is then
    that of an average token instead of noise. A model with rows to spare (vocabularies are often padded) is left as it
    is. Raises ValueError for weights that ZeRO-3 has spread over workers, where a part's mean is not that of all.
    """
    import torch

    student: Any = model  # the library's types do not know an embedding's weight
    weight = student.get_input_embeddings().weight
    if hasattr(weight, "ds_id"):
        raise ValueError("the model's weights are spread over workers; grow its embeddings before that")
    num_old: int = weight.shape[0]
    num_new = len(tokenizer) - num_old
    if num_new <= 0:
        return 0
    student.resize_token_embeddings(len(tokenizer), mean_resizing=False)
    output = student.get_output_embeddings()
    tensors = [student.get_input_embeddings().weight, *(output.parameters() if output else ())]  # a bias among them
    with torch.no_grad():
        for tensor in tensors:
            tensor[num_old:] = tensor[:num_old].mean(dim=0, dtype=torch.float32).to(tensor.dtype)
    return num_new


def _set_end(tokenizer: "PreTrainedTokenizerFast") -> None:
    vocabulary = tokenizer.get_vocab()
    end = tokenizer.eos_token
    if end is None or end not in vocabulary:
        end = next((token for token in END_TOKENS if token in vocabulary), NEW_END_TOKEN)
    _register(tokenizer, "eos_token", str(end))


def _set_pad(tokenizer: "PreTrainedTokenizerFast") -> None:
    vocabulary = tokenizer.get_vocab()
    if tokenizer.pad_token is not None and tokenizer.pad_token in vocabulary:
        return
    candidates = (*PAD_TOKENS, tokenizer.unk_token, tokenizer.eos_token)
    _register(tokenizer, "pad_token", next(str(token) for token in candidates if token in vocabulary))


def _register(tokenizer: "PreTrainedTokenizerFast", role: str, token: str) -> None:
    """As a special token of the tokenizer's, which is what keeps it in one piece wherever it stands in a text."""
    from tokenizers import AddedToken

    if any(known.content == token and known.special for known in tokenizer.added_tokens_decoder.values()):
        setattr(tokenizer, role, token)  # and how it treats the white space around it stays as it is
    else:
        tokenizer.add_special_tokens({role: AddedToken(token, normalized=False, special=True)})


def _check_holds(tokenizer: "PreTrainedTokenizerFast", chat_format: str, begin: str) -> None:
    """Raise UserError unless the format's own words survive the tokenizer, checked on a sample conversation."""
    said: list[Message] = [{"role": "user", "content": _CONTENT}, {"role": "assistant", "content": _CONTENT}]
    first: Message = {"role": "user", "content": _CONTENT, "input": _CONTENT}
    expected_ends = 2 + (begin == tokenizer.eos_token)  # OPT opens a text with the mark that ends it
    for messages in ([*said, *said], [first, *said[1:], *said]):
        text = str(tokenizer.apply_chat_template(cast(list[dict[str, str]], messages), tokenize=False))
        tokens = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
        if lost := _lost_pieces(tokenizer, text, tokens):
            pieces = ", ".join(map(repr, lost[:8]))
            others = ", ".join(name for name in FORMATS if name != chat_format)
            raise UserError(
                f"the tokenizer cannot hold the chat format {chat_format}: it has no tokens for {pieces}. Choose "
                f"another chat format ({others}) or another student."
            )
        num_ends = tokens["input_ids"].count(tokenizer.eos_token_id)
        if num_ends != expected_ends or tokens["input_ids"][-1] != tokenizer.eos_token_id:
            raise UserError(
                f"the tokenizer reads its end mark {tokenizer.eos_token!r} {num_ends} times in a conversation of two "
                "answers, expected once where each ends. Choose another student."
            )


def _lost_pieces(tokenizer: "PreTrainedTokenizerFast", text: str, tokens: Any) -> list[str]:
    """Words of the format that are unknown; if none is, the characters that do not come back when decoded.

    White space does not count: word-level tokenizers drop it, some sentence pieces normalise it.
    """
    said = {at for content in re.finditer(_CONTENT, text) for at in range(*content.span())}
    lost: list[str] = []
    for token_id, (start, end) in zip(tokens["input_ids"], tokens["offset_mapping"], strict=True):
        if token_id == tokenizer.unk_token_id and text[start:end].strip() != tokenizer.unk_token:
            lost.append("".join(text[at] for at in range(start, end) if at not in said).strip())
    if lost:  # in what is said at least, so decoding cannot give the text
        return [piece for piece in dict.fromkeys(lost) if piece]
    decoded = str(tokenizer.decode(tokens["input_ids"], skip_special_tokens=False, clean_up_tokenization_spaces=False))
    if _squeezed(decoded) == _squeezed(text):
        return []
    dropped = [char for char in dict.fromkeys(text) if not tokenizer(char, add_special_tokens=False)["input_ids"]]
    return [char for char in dropped if not char.isspace()] or [decoded]


def _squeezed(text: str) -> str:
    return "".join(unicodedata.normalize("NFKC", text).casefold().split())
