import pytest

from evolray.evaluate.math.hendrycks import (
    HENDRYCKS_RULES,
    WIZARDMATH_RULES,
    CannotNormalise,
    hendrycks_equal,
    normalised,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1/2", r"\frac{1}{2}"),
        ("0.5", r"\frac{1}{2}"),
        (".5", r"\frac{1}{2}"),
        ("0.50", "0.50"),
        (r"\tfrac12", r"\frac{1}{2}"),
        (r"\dfrac1{72}", r"\frac{1}{72}"),
        (r"\frac1120", r"\frac{1}{1}20"),
        (r"\frac1", r"\frac1"),
        (r"\frac{72}1", r"\frac{72}1"),
        (r"\sqrt3+\sqrt{12}", r"\sqrt{3}+\sqrt{12}"),
        (r"\left( 1,\! 2 \right)", "(1,2)"),
        ("x = 5", "5"),
        ("x  = 5", "x=5"),
        ("a=b=c", "a=b=c"),
        (r"\$5\text{ cm}", "5"),
        (r"45^{\circ}", "45"),
        (r"25\%", "25"),
        ("03/4", "03/4"),
        ("1/2/3", "1/2/3"),
        ("", ""),
    ],
)
def test_both_tables_normalise(text: str, expected: str) -> None:
    assert normalised(text, HENDRYCKS_RULES) == expected
    assert normalised(text, WIZARDMATH_RULES) == expected


@pytest.mark.parametrize("text", [r"\frac", r"\frac{1}{2}+\frac", r"\sqrt", r"5\text{ cm}\text{ x}"])
def test_both_tables_raise_where_the_originals_do(text: str) -> None:
    for rules in (HENDRYCKS_RULES, WIZARDMATH_RULES):
        with pytest.raises(CannotNormalise):
            normalised(text, rules)
    assert not hendrycks_equal(text, "5")
    assert hendrycks_equal(text, text)


def test_a_slash_between_letters_raises_in_the_copy_only() -> None:
    assert normalised("a/b", HENDRYCKS_RULES) == "a/b"
    with pytest.raises(CannotNormalise, match="a slash between what are no integers"):
        normalised("a/b", WIZARDMATH_RULES)


def test_a_bare_percent_sign_goes_in_the_original_only() -> None:
    assert normalised("25%", HENDRYCKS_RULES) == "25"
    assert normalised("25%", WIZARDMATH_RULES) == "25%"


def test_rules_have_names_of_their_own() -> None:
    for rules in (HENDRYCKS_RULES, WIZARDMATH_RULES):
        assert len({rule.name for rule in rules}) == len(rules)
