"""Skills: a list to choose from, and answers that name one to three of it."""

from collections import Counter

import pytest

from evolray.errors import UserError
from evolray.method.skills import SKILLS, check_tags, parse_skills, skills_prompt
from evolray.records import Turn


def test_the_29_of_the_test_set() -> None:
    assert len(SKILLS) == len(set(SKILLS)) == 29
    assert {"Writing", "Common-Sense", "TruthfulQA", "Code Debug"} <= set(SKILLS) and "Writting" not in SKILLS
    assert check_tags([]) == SKILLS and check_tags(SKILLS) == SKILLS


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Math", ("Math",)), ("math", ("Math",)), ("Physics, Math", ("Physics", "Math")), 
        ("Math; Law.", ("Math", "Law")),
        ("- Math\n- Code Debug", ("Math", "Code Debug")), ("1. Math\n2) History", ("Math", "History")),
        ("Skills: Math, Law", ("Math", "Law")), ("**Skills:** **Math**", ("Math",)), ("#Skills#: Math", ("Math",)),
        ('["Math", "Law"]', ("Math", "Law")), ("Math, Law, and Art", ("Math", "Law", "Art")),
        ("Math, Math,", ("Math",)), ("common-sense", ("Common-Sense",)), ("Code  Generation", ("Code Generation",)),
        # near misses
        ("", None), (",", None), ("Skills:", None), ("Cooking", None), ("Math, Cooking", None), ("Math and Law", None),
        ("Math, Law, Art, Music", None), ("The question calls for Math", None), ("Math (since it counts)", None),
        ("Code", None), ("Mathematics", None), ("Math\n\nIt asks for a sum.", None), ("x," * 50_000, None),
    ],
)  # fmt: skip
def test_answers(text: str, found: tuple[str, ...] | None) -> None:
    assert parse_skills(text) == found


def test_a_list_of_one_s_own() -> None:
    tags = check_tags(["Rhyme  and metre", "  Geodesy "])
    assert tags == ("Rhyme and metre", "Geodesy")
    assert parse_skills("geodesy, rhyme and metre", tags) == ("Geodesy", "Rhyme and metre")
    assert parse_skills("Math", tags) is None
    assert "\nChoose from this list alone:\nRhyme and metre\nGeodesy\nChoose" in skills_prompt("x", tags=tags)


@pytest.mark.parametrize("tags", [[""], ["Math", "math."], ["Maths, pure"], ["a;b"], ["a\nb"], ["..."]])
def test_lists_that_cannot_be_read_back(tags: list[str]) -> None:
    with pytest.raises(UserError, match=r"judging\.tags"):
        check_tags(tags)


def test_the_prompt() -> None:
    text = skills_prompt("{skills}\n#Skills#:", (Turn("user", "Earlier"),))
    assert Counter(line for line in text.split("\n") if line in SKILLS) == Counter(SKILLS)
    assert text.endswith("\n#Conversation#:\nuser: Earlier\n\n#Question#:\n{skills}\n#Skills#:\n#Skills#:")
    assert text.index("Philosophy") < text.index("Earlier")
