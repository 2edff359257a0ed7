"""distilabel as its documentation has it: EvolInstruct with answers, over all seeds. For beside_others.py.

    PYTHON_WITH_DISTILABEL benchmarks/others/distilabel_evol.py BASE_URL SEEDS.json LIMIT FOLDER

It has no limit of calls in flight but the size of a batch. Its cache is in the home directory, which beside_others.py
sets to FOLDER. Writes FOLDER/records.jsonl.
"""

import json
import sys
from pathlib import Path

from distilabel.models import OpenAILLM
from distilabel.pipeline import Pipeline
from distilabel.steps import LoadDataFromDicts
from distilabel.steps.tasks import EvolInstruct

BASE_URL, SEEDS, LIMIT, FOLDER = sys.argv[1:]


def main() -> None:
    seeds = [{"instruction": f"{one['instruction']}\n{one['input']}"} for one in json.loads(Path(SEEDS).read_text())]
    with Pipeline(name="evolve") as pipeline:
        llm = OpenAILLM(
            model="simulated", base_url=BASE_URL, api_key="none", generation_kwargs={"max_new_tokens": 2048}
        )
        evolve = EvolInstruct(llm=llm, num_evolutions=1, generate_answers=True, input_batch_size=int(LIMIT))
        LoadDataFromDicts(data=seeds, batch_size=int(LIMIT)) >> evolve
    rows = pipeline.run()["default"]["train"]
    with Path(FOLDER, "records.jsonl").open("w") as file:
        for row in rows:
            file.write(json.dumps({"instruction": row["evolved_instruction"], "output": row["answer"]}) + "\n")


if __name__ == "__main__":
    main()
