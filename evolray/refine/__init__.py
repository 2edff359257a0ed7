"""The refining stage: pools in, a training mix out, every drop with its reason.

sources.py, intake.py            what is refined, as shards of records
features.py                      what is measured without asking anybody
signatures.py, exact.py, near_*  copies: who is dropped for whom
contamination.py, execution.py   benchmark items in records
judging.py                       difficulty and skills, by a judge
selection.py, quotas.py, ...     which records make the mix
mix.py, card.py, results.py      what lies on disk in the end
steps.py, stage.py, on_ray.py    one step after another, resumed where it ended
"""

from evolray.calling import calls_function

calls_function(__name__)
