"""Runs in the helper process: whether two formulas are equal by math-verify.

math-verify parses LaTeX with a grammar of its own (latex2sympy2_extended), evaluates nothing as Python, and compares
with sympy. Its time limits work by signals in the main thread; ours are the process's, so they are switched off.
"""

import logging
from typing import Any

from math_verify import LatexExtractionConfig, parse, verify

DECIMALS = 6
"""Where a formula's value is compared with a decimal, both are rounded to so many places."""

# It warns once per process that somebody else has to keep the time: the process's limits do.
logging.getLogger("math_verify").setLevel(logging.ERROR)


def verified_equal(prediction: str, reference: str) -> bool:
    expected, found = _parse(reference), _parse(prediction)
    if not expected or not found:
        return False
    try:
        equal = verify(
            expected,
            found,
            float_rounding=DECIMALS,
            allow_set_relation_comp=True,
            timeout_seconds=None,
            raise_on_error=True,
        )
    except MemoryError:
        raise
    except Exception:  # of many kinds: what cannot be compared was not found equal
        return False
    return bool(equal)


def _parse(text: str) -> Any:
    """A list of sympy objects; empty when the text is no formula."""
    return parse(f"${text}$", [LatexExtractionConfig()], fallback_mode="no_fallback", parsing_timeout=None)
