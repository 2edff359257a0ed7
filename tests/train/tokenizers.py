"""Three tiny tokenizers of the kinds that students come with, trained on a few fixed sentences of ours.

    byte_level      BPE over bytes, as GPT-2's and Llama 3's: a space belongs to the token behind it; no offsets for it
    sentence_piece  BPE with a "▁" for spaces and bytes for what is unknown, as Llama 2's; puts <s> before a text
    word_level      words and runs of punctuation; spacing is lost and the unknown is [UNK]

`sentence_piece(legacy=True)` opens every stretch between marks with a "▁", as the first Llama tokenizers do.
"""

import json

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

SENTENCES = (
    "Name a tree. Oak and birch are trees.",
    "How many apples are left? Three apples are left, so the answer is 3.",
    "Add the numbers: 1, 2 and 3. The sum is 6!",
    "Write a loop:```python\nfor n in range(3):\n    print(n)\n```",
    "Yes, that is right. No, that is not right.",
    "First count the rows; then count the columns - one by one.",
)
# The words of the formats, so that nearly each is one token.
HEADERS = (
    "Below is an instruction that describes a task. Write a response that appropriately completes the request.",
    "Below is an instruction that describes a task, paired with an input that provides further context.",
    "A chat between a curious user and an artificial intelligence assistant.",
    "The assistant gives helpful, detailed, and polite answers to the user's questions.",
    "### Instruction: ### Input: ### Response: Let's think step by step.",
    "USER: ASSISTANT: hi USER: ASSISTANT: hi",
)
CORPUS = (*SENTENCES, *HEADERS) * 4


def byte_level(end: str | None = "<|endoftext|>") -> PreTrainedTokenizerFast:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=True)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    specials = [end] if end else []
    trainer = trainers.BpeTrainer(
        vocab_size=1000, initial_alphabet=alphabet, special_tokens=specials, show_progress=False
    )
    tokenizer.train_from_iterator(CORPUS, trainer)
    marks = {"eos_token": end, "bos_token": end, "unk_token": end} if end else {}
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, **marks)


def sentence_piece(legacy: bool = False) -> PreTrainedTokenizerFast:
    trained = Tokenizer(models.BPE())
    trained.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
    trainer = trainers.BpeTrainer(vocab_size=1000, show_progress=False)
    trained.train_from_iterator([line for text in CORPUS for line in text.split("\n")], trainer)
    learned = json.loads(trained.to_str())["model"]
    pieces = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)), *learned["vocab"]]
    merges = [(first, second) for first, second in learned["merges"]]
    vocabulary = {piece: number for number, piece in enumerate(pieces)}
    tokenizer = Tokenizer(models.BPE(vocabulary, merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    if legacy:
        tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    else:
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first", split=False)
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", unk_token="<unk>")


def word_level(corpus: tuple[str, ...] = CORPUS) -> PreTrainedTokenizerFast:
    tokenizer = Tokenizer(models.WordLevel(unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    trainer = trainers.WordLevelTrainer(special_tokens=["[UNK]", "[PAD]", "[EOS]"], show_progress=False)
    tokenizer.train_from_iterator(corpus, trainer)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="[UNK]")


ALL = {"byte_level": byte_level, "sentence_piece": sentence_piece, "word_level": word_level}
