"""The offline teacher: reads the same prompts as a real model and answers them by rule.

It needs no key, no GPU and no download, and is for demos, tests and load. No one should train on what it writes for
real: only arithmetic word problems (`evolray.teachers.arithmetic`) are really made harder and really solved. Other
texts get a clause out of a stock, and responses that talk about the instruction without answering it.

An answer is a function of the seed and the prompt (the last user message) alone: the same in any process, on any
machine. `flaws` is the share of evolutions and responses that show a defect of real endpoints, so that every
elimination rule has something to do; a prompt that got a flaw gets it again. Verdicts are never flawed.

The prompts are recognised by their cue at the end, or by their first line in the code domain:

    ... #Given Prompt#:\\n<instruction>\\n#Rewritten Prompt#:        evolve, open; or #Created Prompt#:
    ... #Given Problem#:\\n<instruction>\\n#Rewritten Problem#:      evolve, math; or #Created Problem#:
    Please make the programming ... Question:\\n<instruction>        evolve, code
    ... #First Prompt#:\\n<a>\\n#Second Prompt#:\\n<b>\\n#Verdict#:     judge
    ... #Problem#:\\n<instruction>\\n#Solution#:                     respond, math
    anything else                                                   respond, to the text itself
"""

import asyncio
import json
import re
from collections.abc import Callable, Mapping, Sequence
from hashlib import blake2b
from random import Random
from typing import Protocol

from evolray.method.teacher import Call, Completion, Purpose
from evolray.teachers import arithmetic

MODEL = "simulated"

# ---- the stock: a clause adds 10 to 20 words whatever its slots become (a test counts them) --------------------------

SLOTS: Mapping[str, tuple[str, ...]] = {
    "audience": (
        "retired nurses", "harbour pilots", "apprentice bakers", "village librarians", "night guards", "young parents",
        "amateur astronomers", "bus drivers", "choir singers", "new citizens", "orchard owners", "dental students",
        "museum guides", "rural doctors", "chess beginners", "tax advisers",
    ),
    "place": (
        "Lisbon", "Nairobi", "Osaka", "Tromso", "Quito", "Tbilisi", "Cardiff", "Hanoi", "Winnipeg", "Palermo", "Accra",
        "Brno", "Montevideo", "Galway", "Perth", "Izmir",
    ),
    "field": (
        "beekeeping", "hydrology", "bookkeeping", "typography", "forestry", "acoustics", "logistics", "nutrition",
        "cartography", "insurance", "ceramics", "meteorology", "archaeology", "linguistics", "horology", "ergonomics",
    ),
    "form": (
        "a table", "a timeline", "a dialogue", "a checklist", "a letter", "a ranking", "a glossary", "a memo",
        "an interview", "a diary", "a budget", "a flowchart",
    ),
    "name": ("Iris", "Omar", "Lena", "Pavel", "Rui", "Sven", "Noor", "Kofi", "Mei", "Tariq", "Ulla", "Vito"),
    "item": ("tickets", "lanterns", "seedlings", "bolts", "recipes", "parcels", "sensors", "bottles", "maps", "kites"),
}  # fmt: skip

OPEN_CLAUSES: Mapping[str, tuple[str, ...]] = {
    "add_constraints": (
        "Limit the result to {n} sentences and mention {place} at least once without naming any person.",
        "Write it for {audience}, avoid technical terms, and keep every sentence below {n} words.",
        "Include exactly {few} examples from {field}, none of which may be older than {n} years.",
        "Present the result as {form} with {few} entries, each justified in one short sentence.",
        "Stay within a budget of {n} euros and state openly which {few} wishes remain unmet.",
        "Do not use the word {topic} more than {few} times, and end with one open question.",
        "The result has to remain valid in {place} even when only {n} minutes are available.",
        "Add {few} counterarguments that {audience} might raise, and refute each in at most {n} words.",
        "Every claim about {topic} must be followed by how certain it is, in percent.",
        "Assume that {audience} read it aloud, so it must take less than {n} minutes.",
        "Use only facts that somebody in {place} could check within {n} days without the internet.",
        "Order the points by importance for {field} and leave out everything beyond the first {few}.",
    ),
    "deepen": (
        "Also examine which causes behind {topic} are underestimated and how {field} would explain {few} of them.",
        "Discuss the long-term consequences for {audience} over {n} years, including at least {few} unintended ones.",
        "Compare how this is seen in {place} and in {field}, and explain where both views conflict.",
        "Analyse how {topic} would change if its most important assumption failed in {few} different ways.",
        "Trace how the understanding of {topic} developed over the last {n} years, and what drove it.",
        "Consider the ethical, economic and practical sides separately, and say which matters most to {audience}.",
        "Evaluate the strongest evidence against the usual view of {topic}, drawing on {field} and {few} cases.",
        "Explain which mechanism connects {topic} with {field}, and under which {few} conditions it breaks down.",
        "Describe what {audience} with {n} years of experience would question about it, and why.",
        "Explore how the matter looks at three scales: one household, all of {place}, and {n} countries.",
    ),
    "concretize": (
        "Take {name} as the concrete case, who looks after {n} {item} in {place}.",
        "Refer specifically to {audience} in {place} who handle {n} {item} in a typical week.",
        "Use the situation of a {field} workshop in {place} with {n} employees and {few} machines.",
        "Instead of {topic} in general, deal with {n} {item} that {name} ordered from {place}.",
        "Apply it to {name}, aged {n}, who moved to {place} and works in {field}.",
        "Think of a meeting in {place} where {few} {audience} have {n} minutes to decide.",
        "Base it on a {field} course in {place} that starts with {n} students and {few} teachers.",
        "Let it concern one shop in {place} that sells {n} {item} to {audience} per month.",
        "Name the exact tools, quantities and dates for {name}, who needs {n} {item} by {few} May.",
        "Place it in the year {year}, when {audience} in {place} first heard about {topic}.",
    ),
    "add_reasoning_steps": (
        "Work it out in {few} explicit steps, and say after each what it contributes to the next.",
        "First list the assumptions, then test {few} of them with {field}, and only then conclude.",
        "Show your reasoning: derive {few} intermediate results, check each, and combine them at the end.",
        "Begin with what {audience} know, infer {few} consequences from it, and resolve any contradiction in them.",
        "Solve it twice, once starting from {topic} and once from {field}, then reconcile both results.",
        "Explain step by step why {few} obvious alternatives fail before you settle on one for {place}.",
        "Break it into {few} smaller questions, respond to them in order, and justify that order.",
        "Estimate the outcome for {n} {item} first, then reason backwards to what that requires of {name}.",
        "Compare {few} possible lines of reasoning about {topic}, then follow the soundest through to its end.",
    ),
}
DATA_INTROS = (
    "Work with the {format} below and say how it bears on {topic}.",
    "Use this {format} as the input and refer to at least {few} of its parts.",
    "Base everything on the following {format}, which {name} collected in {place}.",
    "Take the {format} that follows as given and point out one flaw in it.",
    "Explain your result for {audience} by means of this {format}.",
)
BREADTH = (
    "Describe how {audience} in {place} could use {field} to look at {topic}, and give {few} little-known examples.",
    "Draft {form} in which {name} explains the link between {topic} and {field} to {audience}.",
    "Which {few} customs around {topic} survived in {place} until {year}, and what does {field} say about them?",
    "Invent a game for {audience} that teaches {topic} with nothing but {n} {item}, and state its rules.",
    "Summarise a fictional dispute of {year} in {place} about {topic}, as seen by a specialist in {field}.",
    "Plan an exhibition of {n} {item} that shows how {topic} influenced {field} in {place}.",
    "Suggest {few} unusual ways in which {field} could borrow ideas from {topic}, with one risk for each.",
    "Write {form} about a day on which {topic} goes wrong for {few} {audience} in {place}.",
    "How would {audience} organise a festival in {place} about {topic} with only {n} {item}?",
    "Explain a little-known idea of {field} by means of {topic}, so that {audience} remember it.",
)
CODE_CLAUSES: Mapping[str, tuple[str, ...]] = {
    "add_constraints": (
        "The input may hold up to {n} million values, including negative ones and duplicates.",
        "Do not use any imported modules, and leave the input unchanged.",
        "Raise a ValueError for empty input and for more than {n} {item}.",
        "Return the results sorted by length first, then in reverse alphabetical order.",
        "It must accept any iterable, read it once, and skip each missing value.",
        "Process the {item} in chunks of {n} and report each chunk separately.",
        "Every result must be rounded to {few} decimals, with halves rounded to even.",
        "Treat upper and lower case, as well as accents, as the same throughout.",
    ),
    "replace_requirement": (
        "Instead of the usual order, arrange the results by the number of set bits modulo {few}.",
        "Replace the default comparison by one that ranks {item} by digit sum, then by length.",
        "Instead of plain integers, the input now holds Roman numerals of at most {n} characters.",
        "Rather than a list, return a generator that yields every value of rank {few} twice.",
        "Index the elements from {few} instead of 0, and wrap around at both ends.",
        "Use base {few} instead of base 10 for all numbers that are read or printed.",
    ),
    "add_reasoning_steps": (
        "Then group the results by their remainder modulo {n}, and return the {few} largest groups.",
        "Before that, remove every value that occurs more than {few} times, keeping the original order.",
        "Afterwards compute the running median of the results over windows of {n} and return its maximum.",
        "Also prove with {few} assertions that calling the function twice gives the same result.",
        "First normalise the input, then merge neighbours closer than {n}, and only then apply the rule.",
        "Finally map each result to {item}, count them, and report ties in order of appearance.",
    ),
    "raise_complexity": (
        "The solution must run in O(n log n) time for {n} million {item}.",
        "Use at most O({few}) additional memory, whatever the size of the input.",
        "Support {n} thousand queries after one pass of preprocessing, each in O(log n) time.",
        "It must work on a stream of {n} gigabytes that does not fit in memory.",
        "State the amortised time of each operation and keep it below O(log n) for {n} {item}.",
        "Solve it for all {n} subsets at once without visiting a value more than {few} times.",
    ),
}
WRONG_CODE = (
    "def total_{item}(values):\n    total = {n}\n    for one in values[1:]:\n        total += one\n    return total",
    "def largest_{item}(values):\n    best = {few}\n    for i in values:\n        best = min(best, i)\n    return best",
    "def count_{item}(text):\n    seen = {{}}\n    for one in text:\n        seen[one] = {few}\n    return seen",
    "def is_{item}_pair(a, b):\n    return sorted(a) is sorted(b) or len(a) == {n}",
    "def merge_{item}(left, right, seen=[]):\n    seen.extend(left)\n    return seen + right[:{few}]",
)
MATH_CLAUSES = (
    "Afterwards {name} adds {n} more to the result and then takes away {few}; include this as well.",
    "In addition, {name} in {place} starts with {n} more than stated; what changes in the end?",
    "Suppose further that the first quantity grows by {n} before anything else happens.",
    "Then {name} doubles what is left and hands {few} of it to {audience}; what remains?",
    "Express the final result also as a part of {n} {item} that {name} owns.",
    "Use {n} {item} from {place} in place of the first quantity and round nothing.",
    "Before the last step {name} must repeat the first one {few} times; account for each repetition.",
)
OPENINGS = (
    "The task brings together {topic} and {other}.",
    "It helps to look at {topic} first and to keep {other} in view.",
    "Two things stand out here: {topic} and {other}.",
    "A useful starting point is {topic}, because {other} depends on it.",
    "Anyone who works in {field} would begin with {topic}.",
)
MIDDLES = (
    "In practice {few} points decide the outcome, and the first of them concerns {other}.",
    "People in {place} have handled {topic} in this way since {year}.",
    "Seen from {field}, {n} out of a hundred cases follow this pattern, and the rest need more care.",
    "A short check with {n} {item} shows whether {topic} behaves as expected.",
    "For {audience} the most practical route is to write down {few} options and to compare them.",
    "The relation between {topic} and {other} is closest when time is short.",
)
CLOSINGS = (
    "So the result is to settle {topic} before {other}.",
    "In short, {few} careful steps are enough for {topic}.",
    "This covers {topic}, and what remains open belongs to {field}.",
    "The conclusion holds as long as {other} stays the same.",
)
CODE_RESPONSES = (
    "def {topic}_{item}(values):\n    kept = [one for one in values if one is not None]\n    return sorted(kept)[:{n}]",
    "def count_{topic}(values):\n    return {{value: values.count(value) for value in set(values)}}",
    "def {topic}_in_chunks(values, size={n}):\n    return [values[i : i + size] for i in range(0, len(values), size)]",
    "def largest_{topic}(values, default={few}):\n    return max([default, *values])",
    "def {topic}_total(values):\n    return sum(value % {n} for value in values)",
)
POLITE = ("Please ", "Could you please do this: ", "Kindly do the following: ", "I would like you to do this, please: ")
REFUSALS = (
    "Sorry, but I cannot help with {topic}.",
    "I am sorry, I do not have enough information about {topic} to respond.",
    "I'm sorry, but as a language model I have no access to {other}.",
)
NO_CONTENT = ("...", "The and of.", "?!", "It is as it was.")
LEAKS = {
    "open": ("#Rewritten Prompt#:\n{}", "Here is the rewritten prompt: {}", "{} (This extends the given prompt.)"),
    "math": ("#Rewritten Problem#:\n{}", "Here is the rewritten problem: {}", "{} (This changes the given problem.)"),
    "code": ("The programming test question below is a little more difficult.\n{}",),
}

# ---- recognising ----------------------------------------------------------------------------------------------------

_CODE_EVOLVE = "Please make the programming test question below a little more difficult"
_FORMAT_CUE = "\n#Rewritten Prompt# (must contain a specific "
_EVOLVE_CUES = {
    "\n#Rewritten Prompt#:": "\n#Given Prompt#:\n",
    "\n#Created Prompt#:": "\n#Given Prompt#:\n",
    "\n#Rewritten Problem#:": "\n#Given Problem#:\n",
    "\n#Created Problem#:": "\n#Given Problem#:\n",
}
_VERDICT_CUE, _FIRST, _SECOND = "\n#Verdict#:", "\n#First Prompt#:\n", "\n#Second Prompt#:\n"
_SOLUTION_CUE, _PROBLEM = "\n#Solution#:", "\n#Problem#:\n"
_OPEN_METHODS = {
    "one more constraint or requirement": "add_constraints",
    "depth and breadth": "deepen",
    "more specific": "concretize",
    "multiple-step reasoning": "add_reasoning_steps",
}
_CODE_METHODS = {
    "new constraints and requirements": "add_constraints",
    "less common": "replace_requirement",
    "more reasoning steps": "add_reasoning_steps",
    "erroneous code": "mislead",
    "time or space complexity": "raise_complexity",
}
_LONG_WORD = re.compile(r"\b[A-Za-z]{5,24}\b")
_WORD = re.compile(r"\w+")
_NUMBER = re.compile(r"\d{1,6}", re.ASCII)
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+")
_ABOUT_CODE = frozenset(
    """function functions program code algorithm array arrays string strings python java javascript sql class classes
    script method regex html css""".split()
)
# Words that a rewrite may add without saying anything: they do not count when two texts are compared.
_IDLE = frozenset(
    """a an and are as at be but by can could do does following for from give had has have i in is it its kindly like
    me my of on or please so task thank thanks that the their them then there these this those to very want was were
    will with would you your""".split()
)
_NO_TOPIC = frozenset(
    """sorry given prompt rewritten created problem option there their these those which would could should about after
    other where while being please following write explain describe sentences words three include every least""".split()
)


def kind(prompt: str) -> Purpose:
    """What a rendered prompt asks for."""
    if prompt.endswith(_VERDICT_CUE) and _FIRST in prompt:
        return "judge"
    return "respond" if _instruction_to_evolve(prompt) is None else "evolve"


def _instruction_to_evolve(prompt: str) -> tuple[str, str, str] | None:
    """(fixed text, instruction, cue), or None when the prompt is none of the evolving ones."""
    if prompt.startswith(_CODE_EVOLVE):
        fixed, found, instruction = prompt.partition("\nQuestion:\n")
        return (fixed, instruction, "code") if found else None
    start = prompt.rfind("\n", 0, max(len(prompt) - 1, 0))
    cue = prompt[start:] if start >= 0 else ""
    marker = _EVOLVE_CUES.get(cue)
    if marker is not None:
        fixed, found, instruction = prompt[: -len(cue)].partition(marker)
        return (fixed, instruction, cue) if found else None
    if cue.startswith(_FORMAT_CUE) and cue.endswith(" as input):"):
        # The demonstrations hold the same markers. An instruction might hold a "####" line, but not before a marker.
        body = prompt[:start]
        block = len(body)
        while (block := body.rfind("\n####\n", 0, block)) >= 0:
            _, found, instruction = body[block:].partition("\n#Given Prompt#:\n")
            if found:
                return body[:block], instruction, cue
    return None


# ---- answering ------------------------------------------------------------------------------------------------------


class Message(Protocol):
    """What `answer` reads of a message: evolray.records.Turn is one."""

    @property
    def role(self) -> str: ...
    @property
    def content(self) -> str: ...


class SimulatedTeacher:
    """Answers by rule; see the module's text. `flaws` is a share of 0-1; ValueError when it is not."""

    def __init__(self, seed: int = 0, flaws: float = 0.1, model: str = MODEL) -> None:
        if not 0 <= flaws <= 1:
            raise ValueError(f"flaws is a share between 0 and 1, got {flaws}")
        self.model = model
        self._key = str(seed).encode()[:64]
        self._flawed_below = round(flaws * 2**32)

    async def complete(self, call: Call, priority: int = 0) -> Completion:
        await asyncio.sleep(0)  # others on the loop get their turn, as they would with a real endpoint
        return self.answer(call.messages)

    def answer(self, messages: Sequence[Message]) -> Completion:
        """Answer the last user message. Token counts are estimates: four characters to a token."""
        prompt = next((message.content for message in reversed(messages) if message.role == "user"), "")
        text, finish_reason = self._text(prompt)
        asked = sum(len(message.content) for message in messages)
        return Completion(text, finish_reason, (asked + 3) // 4, (len(text) + 3) // 4, self.model)

    def _text(self, prompt: str) -> tuple[str, str]:
        if prompt.endswith(_VERDICT_CUE) and _FIRST in prompt:
            return _verdict(prompt), "stop"
        chance = _Chance(self._key, prompt)
        flawed = chance.below(2**32) < self._flawed_below
        found = _instruction_to_evolve(prompt)
        if found is None:
            text = _respond(prompt, chance)
            return _flawed_response(text, prompt, chance) if flawed else (text, "stop")
        fixed, instruction, cue = found
        fixed = fixed.partition("\n#Conversation#:")[0]  # what was said earlier may hold a method's phrase
        text = _evolve(fixed, instruction, cue, chance)
        return _flawed_evolution(text, instruction, cue, chance) if flawed else (text, "stop")


class _Chance:
    """Draws from one hash of the prompt: 512 bits, spent a few at a time."""

    __slots__ = ("_bits",)

    def __init__(self, key: bytes, prompt: str) -> None:
        data = prompt.encode("utf-8", "surrogatepass")
        self._bits = int.from_bytes(blake2b(data, digest_size=64, key=key).digest(), "little")

    def below(self, limit: int) -> int:
        self._bits, drawn = divmod(self._bits, limit)
        return drawn

    def one_of(self, stock: Sequence[str]) -> str:
        return stock[self.below(len(stock))]

    def random(self) -> Random:
        return Random(self.below(2**64))


def _fill(clause: str, instruction: str, chance: _Chance, **more: str) -> str:
    """The clause with its slots drawn; {topic} and {other} are words of the instruction."""
    slots = {slot: chance.one_of(stock) for slot, stock in SLOTS.items() if f"{{{slot}}}" in clause}
    return clause.format(
        topic=_topic(instruction, chance),
        other=_topic(instruction, chance),
        n=chance.below(87) + 12,
        few=chance.below(6) + 3,
        year=chance.below(90) + 1910,
        **slots,
        **more,
    )


def _clause(clauses: Sequence[str], instruction: str, chance: _Chance) -> str:
    """One of the clauses, filled; preferably one that no earlier generation has put into the instruction."""
    for _ in range(5):
        clause = chance.one_of(clauses)
        if clause.partition("{")[0] not in instruction:
            break
    return _fill(clause, instruction, chance)


def _topic(instruction: str, chance: _Chance) -> str:
    """A long word from near a drawn place in the first 400 characters; long texts cost no more than short ones."""
    for _ in range(4):
        word = _LONG_WORD.search(instruction, chance.below(min(len(instruction), 400) + 1))
        if word is not None and (topic := word[0].lower()) not in _NO_TOPIC:
            return topic
    return "matter"


def _append(instruction: str, clause: str) -> str:
    """The clause as a further sentence, on a line of its own below texts of several lines."""
    text = instruction.rstrip()
    if "\n" in text:
        return f"{text}\n{clause}"
    if text and text[-1] not in ".!?:;":
        text += "."
    return f"{text} {clause}".lstrip()


def _evolve(fixed: str, instruction: str, cue: str, chance: _Chance) -> str:
    if cue == "code":
        return _evolve_code(fixed, instruction, chance)
    if cue.endswith("Problem#:"):
        return _evolve_math(fixed, instruction, cue, chance)
    if cue.startswith("\n#Created"):
        return _fill(chance.one_of(BREADTH), instruction, chance)
    if cue.startswith(_FORMAT_CUE):
        wanted = cue[len(_FORMAT_CUE) : -len(" as input):")]
        intro = _fill(chance.one_of(DATA_INTROS), instruction, chance, format=wanted)
        return f"{_append(instruction, intro)}\n{_data_block(wanted, chance)}"
    clauses = OPEN_CLAUSES[_named(_OPEN_METHODS, fixed)]
    return _append(instruction, _clause(clauses, instruction, chance))


def _named(methods: Mapping[str, str], fixed: str) -> str:
    """The operator whose phrase stands in the fixed text; for any other wording the first one."""
    return next((name for phrase, name in methods.items() if phrase in fixed), "add_constraints")


def _evolve_code(fixed: str, instruction: str, chance: _Chance) -> str:
    operator = _named(_CODE_METHODS, fixed)
    if operator == "mislead":
        code = _fill(chance.one_of(WRONG_CODE), instruction, chance)
        return f"{instruction.rstrip()}\nThis piece of code may serve as a reference:\n```python\n{code}\n```"
    return _append(instruction, _clause(CODE_CLAUSES[operator], instruction, chance))


def _evolve_math(fixed: str, instruction: str, cue: str, chance: _Chance) -> str:
    problem = arithmetic.parse(instruction)
    rng = chance.random()
    if cue.startswith("\n#Created"):
        other = arithmetic.make(rng) if problem is None else arithmetic.another_easier(problem, rng)
        return arithmetic.render(other)
    downward = "easier" in fixed
    if problem is not None:
        return arithmetic.render((arithmetic.easier if downward else arithmetic.harder)(problem, rng))
    if not downward:
        return _append(instruction, _clause(MATH_CLAUSES, instruction, chance))
    sentences = _SENTENCE_END.split(instruction.strip())
    if len(sentences) < 3:
        return arithmetic.render(arithmetic.make(rng))
    return " ".join(sentences[:-2] + sentences[-1:])  # the question stays, the condition before it goes


def _data_block(wanted: str, chance: _Chance) -> str:
    """A few made-up rows in the format that was asked for; JSON for a format that is not known."""
    item = chance.one_of(SLOTS["item"])
    rows = [
        (17 + i * (1 + chance.below(9)), chance.one_of(SLOTS["name"]), chance.below(95) + 3)
        for i in range(2 + chance.below(3))
    ]
    return next((build for word, build in _BUILDERS.items() if word in wanted), _json)(item, rows)


_Rows = list[tuple[int, str, int]]


def _xml(item: str, rows: _Rows) -> str:
    inner = "\n".join(f'  <entry id="{i}" owner="{owner}" count="{count}"/>' for i, owner, count in rows)
    return f"<{item}>\n{inner}\n</{item}>"


def _sql(item: str, rows: _Rows) -> str:
    values = ", ".join(f"({i}, '{owner}', {count})" for i, owner, count in rows)
    return f"CREATE TABLE {item} (id INTEGER, owner TEXT, amount INTEGER);\nINSERT INTO {item} VALUES {values};"


def _python(item: str, rows: _Rows) -> str:
    data = {f"{owner}-{i}": count for i, owner, count in rows}
    return f"{item} = {data}\n\ndef most_{item}():\n    return max({item}, key=lambda owner: {item}[owner])"


def _html(item: str, rows: _Rows) -> str:
    inner = "\n".join(f"  <tr><td>{i}</td><td>{owner}</td><td>{count}</td></tr>" for i, owner, count in rows)
    return f"<html><body>\n<h1>{item}</h1>\n<table>\n{inner}\n</table>\n</body></html>"


def _shell(item: str, rows: _Rows) -> str:
    number, owner, count = rows[0]
    return f'find /srv/{item} -name "{owner}*.log" -size +{count}k | sort -r | head -n {number}'


def _json(item: str, rows: _Rows) -> str:
    return json.dumps({item: [{"id": i, "owner": owner, "count": count} for i, owner, count in rows]})


_BUILDERS: Mapping[str, Callable[[str, _Rows], str]] = {
    "XML": _xml, "SQL": _sql, "Python": _python, "HTML": _html, "shell": _shell, "JSON": _json,
}  # fmt: skip


def _respond(prompt: str, chance: _Chance) -> str:
    instruction, is_math = prompt, False
    if prompt.endswith(_SOLUTION_CUE):
        _, found, rest = prompt.partition(_PROBLEM)
        if found:
            instruction, is_math = rest[: -len(_SOLUTION_CUE)], True
    problem = arithmetic.parse(instruction)
    if problem is not None:
        return arithmetic.solve(problem)
    if is_math:
        return _respond_with_sum(instruction, chance)
    opening, closing = chance.one_of(OPENINGS), chance.one_of(CLOSINGS)
    if not _ABOUT_CODE.isdisjoint(_WORD.findall(instruction[:600].lower())):
        code = _fill(chance.one_of(CODE_RESPONSES), instruction, chance)
        return f"{_fill(opening, instruction, chance)}\n```python\n{code}\n```"
    return _fill(f"{opening} {chance.one_of(MIDDLES)} {closing}", instruction, chance)


def _respond_with_sum(instruction: str, chance: _Chance) -> str:
    """Of the right form but, but for luck, wrong: it adds up whatever numbers the problem states."""
    numbers = [int(number) for number in _NUMBER.findall(instruction)[:6]] or [chance.below(90) + 10]
    total, lines = numbers[0], [f"Start with {numbers[0]}."]
    for number in numbers[1:]:
        lines.append(f"Add the next number: {total} + {number} = {total + number}.")
        total += number
    return f"{' '.join(lines)} The answer is: {total}."


def _flawed_evolution(text: str, instruction: str, cue: str, chance: _Chance) -> tuple[str, str]:
    domain = "code" if cue == "code" else "math" if cue.endswith("Problem#:") else "open"
    flaw = chance.below(6)
    if flaw == 0:
        return chance.one_of(POLITE) + instruction, "stop"
    if flaw == 1:
        return instruction, "stop"
    if flaw == 2:
        return chance.one_of(LEAKS[domain]).replace("{}", text), "stop"
    if flaw == 3:
        return "", "stop"
    if flaw == 4:
        clauses = {"open": OPEN_CLAUSES, "code": CODE_CLAUSES, "math": {"add_constraints": MATH_CLAUSES}}[domain]
        second = _append(instruction, _clause(clauses["add_constraints"], instruction, chance))
        return f"Option 1: {text}\nOption 2: {second}", "stop"
    return _cut(text), "length"


def _flawed_response(text: str, instruction: str, chance: _Chance) -> tuple[str, str]:
    flaw = chance.below(4)
    if flaw == 0:
        return _fill(chance.one_of(REFUSALS), instruction, chance), "stop"
    if flaw == 1:
        return chance.one_of(NO_CONTENT), "stop"
    if flaw == 2:
        return "", "stop"
    return _cut(text), "length"


def _cut(text: str) -> str:
    return text[: max(1, len(text) * 3 // 5)]


def _verdict(prompt: str) -> str:
    """Equal when both texts have the same words, politeness and stop words aside, in whatever order."""
    first, _, second = prompt[: -len(_VERDICT_CUE)].partition(_FIRST)[2].partition(_SECOND)
    first, second = first.strip(), second.strip()
    if len(second) > len(first) and second.startswith(first) and not second[len(first)].isalnum():
        equal = not _content(second[len(first) :])  # the usual case, and the cheap one
    else:
        equal = _content(first) == _content(second)
    return "Equal" if equal else "Not Equal"


def _content(text: str) -> list[str]:
    return sorted(word for word in _WORD.findall(text.lower()) if word not in _IDLE)
