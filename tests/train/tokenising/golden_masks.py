"""What five conversations are to three tokenizers, token by token, checked by eye.

Per tokenizer and conversation: prompt, answer, prompt, answer, ..., each as its tokens with a space between them.
Exactly the answers' tokens are trained. A line feed is "Ċ" or "<0x0A>" as the tokenizer has it.
"""

from evolray.chat import Message


def _user(content: str, given_input: str | None = None) -> Message:
    message: Message = {"role": "user", "content": content}
    if given_input is not None:
        message["input"] = given_input
    return message


def _assistant(content: str) -> Message:
    return {"role": "assistant", "content": content}


# The chat format and the messages. "```" after "### Response:" gives a token that lies in prompt and answer.
CONVERSATIONS: dict[str, tuple[str, tuple[Message, ...]]] = {
    "alpaca": ("alpaca", (_user("Name a tree."), _assistant("Oak."))),
    "alpaca_turns": (
        "alpaca",
        (_user("Count the apples.", "3 apples"), _assistant("Three, right?"), _user("And 漢?"), _assistant("No ```")),
    ),
    "alpaca_cot": ("alpaca_cot", (_user("Add 1 and 2."), _assistant("The sum is 3."))),
    "freeform": (
        "freeform",
        (_user("Write a loop.", "n"), _assistant("```python\nprint(n)\n```"), _user("Yes"), _assistant("- no")),
    ),
    "vicuna": ("vicuna", (_user("Name a tree."), _assistant("Oak 😀"), _user("Yes?"), _assistant("No."))),
}

MASKS: dict[tuple[str, str], list[str]] = {
    ("byte_level", "alpaca"): [
        "Below Ġis Ġan Ġinstruction Ġthat Ġdescribes Ġa Ġtask . ĠWrite Ġa Ġresponse Ġthat Ġappropriately "
        "Ġcompletes Ġthe Ġrequest . Ċ Ċ ### ĠInstruction : Ċ Name Ġa Ġtree . Ċ Ċ ### ĠResponse :",
        "Oa k . <|endoftext|>",
    ],
    ("byte_level", "alpaca_turns"): [
        "Below Ġis Ġan Ġinstruction Ġthat Ġdescribes Ġa Ġtask , Ġpaired Ġwith Ġan Ġinput Ġthat Ġprovides "
        "Ġfurther Ġcontext . ĠWrite Ġa Ġresponse Ġthat Ġappropriately Ġcompletes Ġthe Ġrequest . Ċ Ċ ### "
        "ĠInstruction : Ċ C o unt Ġthe Ġapples . Ċ Ċ ### ĠInput : Ċ 3 Ġapples Ċ Ċ ### ĠResponse :",
        "Th ree , Ġright ? <|endoftext|>",
        "Ċ Ċ ### ĠInstruction : Ċ A n d Ġ æ ¼ ¢ ? Ċ Ċ ### ĠResponse :",
        "No Ġ ``` <|endoftext|>",
    ],
    ("byte_level", "alpaca_cot"): [
        "Below Ġis Ġan Ġinstruction Ġthat Ġdescribes Ġa Ġtask . ĠWrite Ġa Ġresponse Ġthat Ġappropriately "
        "Ġcompletes Ġthe Ġrequest . Ċ Ċ ### ĠInstruction : Ċ Add Ġ1 Ġand Ġ2 . Ċ Ċ ### ĠResponse : ĠLet 's "
        "Ġthink Ġstep Ġby Ġstep .",
        "Ċ The Ġsum Ġis Ġ3 . <|endoftext|>",
    ],
    ("byte_level", "freeform"): [
        "Write Ġa Ġloop . Ċ n Ċ Ċ ### ĠResponse",
        ":``` python Ċ p rint ( n ) Ċ ``` <|endoftext|>",
        "Ċ Ċ Yes Ċ Ċ ### ĠResponse :",
        "- Ġn o <|endoftext|>",
    ],
    ("byte_level", "vicuna"): [
        "A Ġchat Ġbetween Ġa Ġcurious Ġuser Ġand Ġan Ġartificial Ġintelligence Ġassistant . ĠThe Ġassistant "
        "Ġgives Ġhelpful , Ġdetailed , Ġand Ġpolite Ġanswers Ġto Ġthe Ġuser 's Ġquestions . ĠUSER : Ġ Name Ġa "
        "Ġtree . ĠASSISTANT :",
        "ĠOak Ġ ð Ł ĺ Ģ <|endoftext|>",
        "USER : Ġ Yes ? ĠASSISTANT :",
        "ĠNo . <|endoftext|>",
    ],
    ("sentence_piece", "alpaca"): [
        "<s> Bel ow ▁is ▁an ▁instruction ▁that ▁describes ▁a ▁task. ▁Write ▁a ▁response ▁that ▁appropriately "
        "▁completes ▁the ▁request. <0x0A> <0x0A> ## # ▁Instruction: <0x0A> N am e ▁a ▁tree. <0x0A> <0x0A> ## "
        "# ▁Response:",
        "Oa k . </s>",
    ],
    ("sentence_piece", "alpaca_turns"): [
        "<s> Bel ow ▁is ▁an ▁instruction ▁that ▁describes ▁a ▁task, ▁paired ▁with ▁an ▁input ▁that ▁provides "
        "▁further ▁context. ▁Write ▁a ▁response ▁that ▁appropriately ▁completes ▁the ▁request. <0x0A> <0x0A> "
        "## # ▁Instruction: <0x0A> <0x43> o unt ▁the ▁apples . <0x0A> <0x0A> ## # ▁Input: <0x0A> 3 ▁apples "
        "<0x0A> <0x0A> ## # ▁Response:",
        "Th ree , ▁ri gh t ? </s>",
        "<0x0A> <0x0A> ## # ▁Instruction: <0x0A> A n d ▁ <0xE6> <0xBC> <0xA2> ? <0x0A> <0x0A> ## # ▁Response:",
        "N o ▁``` </s>",
    ],
    ("sentence_piece", "alpaca_cot"): [
        "<s> Bel ow ▁is ▁an ▁instruction ▁that ▁describes ▁a ▁task. ▁Write ▁a ▁response ▁that ▁appropriately "
        "▁completes ▁the ▁request. <0x0A> <0x0A> ## # ▁Instruction: <0x0A> A dd ▁ 1 ▁and ▁2 . <0x0A> <0x0A> "
        "## # ▁Response: ▁Let's ▁think ▁step ▁by ▁step.",
        "<0x0A> Th e ▁sum ▁is ▁3. </s>",
    ],
    ("sentence_piece", "freeform"): [
        "<s> Wri te ▁a ▁lo op . <0x0A> n <0x0A> <0x0A> ## # ▁Response",
        ":``` python <0x0A> p rint (n) <0x0A> ``` </s>",
        "<0x0A> <0x0A> Yes <0x0A> <0x0A> ## # ▁Response:",
        "- ▁n o </s>",
    ],
    ("sentence_piece", "vicuna"): [
        "<s> A ▁chat ▁between ▁a ▁curious ▁user ▁and ▁an ▁artificial ▁intelligence ▁assistant. ▁The "
        "▁assistant ▁gives ▁helpful, ▁detailed, ▁and ▁polite ▁answers ▁to ▁the ▁user's ▁questions. ▁USER: "
        "▁Name ▁a ▁tree. ▁ASSISTANT:",
        "▁Oak ▁ <0xF0> <0x9F> <0x98> <0x80> </s>",
        "USER : ▁Yes ? ▁ASSISTANT:",
        "▁N o . </s>",
    ],
    ("word_level", "alpaca"): [
        "Below is an instruction that describes a task . Write a response that appropriately completes the "
        "request . ### Instruction : Name a tree . ### Response :",
        "Oak . [EOS]",
    ],
    ("word_level", "alpaca_turns"): [
        "Below is an instruction that describes a task , paired with an input that provides further context . "
        "Write a response that appropriately completes the request . ### Instruction : [UNK] the apples . ### "
        "Input : 3 apples ### Response :",
        "Three , right ? [EOS]",
        "### Instruction : [UNK] [UNK] ? ### Response :",
        "No ``` [EOS]",
    ],
    ("word_level", "alpaca_cot"): [
        "Below is an instruction that describes a task . Write a response that appropriately completes the "
        "request . ### Instruction : Add 1 and 2 . ### Response : Let ' s think step by step .",
        "The sum is 3 . [EOS]",
    ],
    ("word_level", "freeform"): [
        "Write a loop . n ### Response",
        ":``` python print ( n ) ``` [EOS]",
        "Yes ### Response",
        "[UNK] [UNK] [EOS]",
    ],
    ("word_level", "vicuna"): [
        "A chat between a curious user and an artificial intelligence assistant . The assistant gives helpful "
        ", detailed , and polite answers to the user ' s questions . USER : Name a tree . ASSISTANT :",
        "Oak [UNK] [EOS]",
        "USER : Yes ? ASSISTANT :",
        "No . [EOS]",
    ],
}
