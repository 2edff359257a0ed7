"""curator as its documentation has it: one prompt that evolves each seed, one that answers. For beside_others.py.

    PYTHON_WITH_CURATOR benchmarks/others/curator_evol.py BASE_URL SEEDS.json LIMIT FOLDER

Its limits are raised to the endpoint's: it begins with few calls per minute. Its cache is in the home directory, which
beside_others.py sets to FOLDER. Writes FOLDER/records.jsonl. The prompts are evolray's, which need no other package.
"""

import json
import sys
from pathlib import Path
from random import Random
from typing import Any

import litellm.litellm_core_utils.default_encoding  # noqa: F401  OpenAI's tokenizer, which else is downloaded
from bespokelabs import curator
from datasets import Dataset

from evolray.method.domains import DOMAINS

BASE_URL, SEEDS, LIMIT, FOLDER = sys.argv[1:]
BACKEND = {
    "backend": "openai",
    "model_name": "simulated",
    "backend_params": {
        "base_url": BASE_URL, "api_key": "none", "max_concurrent_requests": int(LIMIT),
        "max_requests_per_minute": 1_000_000, "max_tokens_per_minute": 1_000_000_000,
    },
}  # fmt: skip


class Evolver(curator.LLM):
    def prompt(self, row: dict[str, Any]) -> str:
        return str(row["prompt"])

    def parse(self, row: dict[str, Any], response: str) -> dict[str, Any]:
        return {"instruction": response}


class Responder(curator.LLM):
    def prompt(self, row: dict[str, Any]) -> str:
        return str(row["instruction"])

    def parse(self, row: dict[str, Any], response: str) -> dict[str, Any]:
        return {"instruction": row["instruction"], "output": response}


def rows(answered: Any) -> Dataset:
    """What a call gives back: a dataset in older versions, an object that holds it in newer ones."""
    return getattr(answered, "dataset", answered)


def main() -> None:
    prompts = []
    for one in json.loads(Path(SEEDS).read_text()):
        text, random = f"{one['instruction']}\n{one['input']}", Random(one["instruction"])
        operator = DOMAINS["open"].choose(random)
        prompts.append({"prompt": operator.render(text, operator.choose_variant(random), ())})
    evolved = rows(Evolver(**BACKEND)(Dataset.from_list(prompts)))
    answered = rows(Responder(**BACKEND)(evolved))
    with Path(FOLDER, "records.jsonl").open("w") as file:
        file.writelines(
            json.dumps({"instruction": row["instruction"], "output": row["output"]}) + "\n" for row in answered
        )


if __name__ == "__main__":
    main()
