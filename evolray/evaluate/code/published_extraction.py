"""Post-processing as WizardCoder's scripts do it, byte for byte, faults included (nlpxucan/WizardLM, WizardCoder/src).

                                   process_humaneval    process_mbpp         mbppplus_process_preds
    carriage returns               dropped              kept                 dropped
    a fence opens at               the first ```python, wherever it stands (for all three)
    and closes at                  the next ```         the next "\\n```"     the next "\\n```"
    then cut before                if __name__ == "__main__":  and  # Example usage  (for all three)
    and before                     -                    # Test examples      the first "assert", even in a name

Text without a ```python fence is cut at the same places and otherwise kept, prose included. What the scripts do before
that, when they sample: take what follows "### Response:" and turn tabs into four spaces.

Where the scripts stop with an error (a main guard written in another way than theirs), the text is left uncut.
"""

from evolray.evaluate.benchmark import Problem

ALPACA_HEADER = "Below is an instruction that describes a task"
RESPONSE = "### Response:"
FENCE, CLOSING, CLOSING_LINE = "```python", "```", "\n```"
MAIN_GUARD, MAIN_NAME = 'if __name__ == "__main__":', '__name__ == "__main__"'


def humaneval(text: str, problem: Problem) -> str:
    """Of raw output that begins with the prompt, humaneval_gen.py takes the part up to a second marker."""
    _, has_prompt, answer = text.partition(RESPONSE) if text.startswith(ALPACA_HEADER) else ("", "", text)
    answer = answer.partition(RESPONSE)[0] if has_prompt else _response(answer)
    return _cut(_fenced(_spaced(answer).replace("\r", ""), CLOSING), "# Example usage")


def mbpp(text: str, problem: Problem) -> str:
    return _cut(_fenced(_spaced(_response(text)), CLOSING_LINE), "# Example usage", "# Test examples")


def mbpp_plus(text: str, problem: Problem) -> str:
    return _cut(_fenced(_spaced(_response(text)).replace("\r", ""), CLOSING_LINE), "# Example usage", "assert")


def _response(text: str) -> str:
    return text.rpartition(RESPONSE)[2]


def _spaced(text: str) -> str:
    return text.replace("\t", "    ")


def _fenced(text: str, closing: str) -> str:
    start = text.find(FENCE)
    if start < 0:
        return text
    code = text[start:].strip().replace(FENCE, "")
    end = code.find(closing)
    return code if end < 0 else code[:end].strip()


def _cut(code: str, *marks: str) -> str:
    if MAIN_NAME in code and MAIN_GUARD in code:
        code = code[: code.index(MAIN_GUARD)].strip()
    for mark in marks:
        if mark in code:
            code = code[: code.index(mark)].strip()
    return code
