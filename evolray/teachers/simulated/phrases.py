"""The stock of the simulated teacher: what it appends, invents, answers and gets wrong.

Slots in braces are filled by `evolray.teachers.simulated.draw`. A clause of the open domain adds 10 to 20 words
whatever its slots become, which is the budget of the in-depth prompts; a test counts them.
"""

from collections.abc import Mapping

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
