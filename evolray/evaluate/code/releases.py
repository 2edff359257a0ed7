"""Which release of a benchmark a problem file is: its layout, and its version by the hash of what it holds.

    layout       told by the fields of its entries
    HumanEval    openai/human-eval: 164 problems with a function `check`
    HumanEval+   evalplus/humanevalplus_release: inputs in place of checks, the reference gives the outputs
    MBPP         google-research/google-research: a text, reference code and assertions
    MBPP+        evalplus/mbppplus_release: a cleaned part of MBPP, laid out as HumanEval+

A file of unknown content is used all the same, and its release says so: scores on it compare with nobody else's.
"""

from collections.abc import Mapping
from typing import Any

LAYOUTS: Mapping[str, Mapping[str, type | tuple[type, ...]]] = {
    "HumanEval+": {
        "task_id": str, "prompt": str, "entry_point": str, "canonical_solution": str, "test": str,
        "base_input": list, "plus_input": (list, dict), "atol": (int, float),
    },
    "MBPP+": {
        "task_id": str, "prompt": str, "entry_point": str, "canonical_solution": str, "assertion": str,
        "base_input": list, "plus_input": (list, dict), "atol": (int, float),
    },
    "HumanEval": {"task_id": str, "prompt": str, "entry_point": str, "canonical_solution": str, "test": str},
    "MBPP": {"task_id": (int, str), "text": str, "code": str, "test_list": list},
}  # fmt: skip
"""Fields that are read, with what they hold; the more specific layout first. Mbpp/793 of MBPP+ v0.1.0 has {} for no
inputs."""

MBPP_TEST_IDS = range(11, 511)
"""MBPP's paper: 1-10 are examples for prompts, 11-510 the test set, the rest for tuning and validation."""

KNOWN = {
    "b30d98e673cd3bf9d47bf7a1599407d4ee7ebd50fe296fc2fa6763d304866ad7": "HumanEval",
    "081c0f592edb6c6b50de581fb22ce8f1a086787148f5ef2c0c8d2f2c426b743b": "HumanEval+ v0.1.9",
    "9816600cbbccc5abd05a6ccdbe2c0bc5cce905fccb33c3536b120d42573ceb46": "MBPP test set (11-510)",
    "729015b1769c572a21033882c6c78fef4c371863c4b8b807f86e2691a8237938": "MBPP+ v0.1.0",
}
"""By `entries_sha256`."""


def layout_of(entry: Mapping[str, Any]) -> str | None:
    return next((name for name, fields in LAYOUTS.items() if fields.keys() <= entry.keys()), None)


def release_name(layout: str, sha256: str, num_problems: int) -> str:
    """For example "HumanEval+ v0.1.9", or "MBPP+ of unknown version (378 problems, sha256 0a1b2c3d4e5f)"."""
    unknown = f"{layout} of unknown version ({num_problems:,} problems, sha256 {sha256[:12]})"
    return KNOWN.get(sha256, unknown)
