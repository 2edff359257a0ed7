"""Answers that name the model that gave them, which no shuffling can blind."""

import re
from collections.abc import Sequence

from evolray.blind.arrangement import Item

SHORTEST = 3
"""Characters of a name that is looked for: "a" and "v2" are in many answers, and give nobody away."""
SHORTEST_FAMILY = 5
"""Characters of a name's first part ("wizardlm" of wizardlm-13b) from which it is looked for by itself."""
_SEPARATORS = re.compile(r"[\s\-_/.:]+")


def items_naming(items: Sequence[Item], models: Sequence[str]) -> dict[str, list[str]]:
    """By model, the problems where its own answer holds its name; models that keep it to themselves are left out."""
    found = {}
    for model in models:
        if len(model) < SHORTEST:
            continue
        pattern = _pattern(model, models)
        naming = [item.problem for item in items if pattern.search("\n".join(item.answers[model]))]
        if naming:
            found[model] = naming
    return found


def _pattern(model: str, models: Sequence[str]) -> re.Pattern[str]:
    """The name, however its parts are joined; and its first part, unless other models' names begin alike."""
    parts = [part for part in _SEPARATORS.split(model) if part]
    names = [r"[\s\-_/.:]*".join(map(re.escape, parts))]
    family = parts[0] if parts else ""
    others = [one.casefold() for one in models if one != model]
    if len(family) >= SHORTEST_FAMILY and not any(one.startswith(family.casefold()) for one in others):
        names.append(re.escape(family))
    return re.compile(rf"(?<!\w)(?:{'|'.join(names)})(?!\w)", re.IGNORECASE)
