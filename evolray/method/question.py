"""What judges are asked about an instruction, in one form: fixed text, earlier turns if any, the instruction, a cue."""

from evolray.method.operators import read_prompt, render
from evolray.records import Turn

CONTEXT = read_prompt("judging/context")


def ask_about(prompt: str, instruction: str, context: tuple[Turn, ...] = (), **slots: str) -> str:
    """The prompt with its slots filled. What is fixed comes first, so that endpoints can cache it."""
    conversation = "\n".join(f"{turn.role}: {turn.content}" for turn in context)
    before = render(CONTEXT, conversation=conversation) + "\n" if context else ""
    return render(prompt, context=before, instruction=instruction, **slots)
