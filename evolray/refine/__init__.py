"""The refining stage: pools in, a training mix out, every drop with its reason.

stage, plan, run     one step after another, resumed where it ended; preview says what it would meet
intake/              what is refined, as shards of records
features             what is measured without asking anybody
duplicates/          copies: who is dropped for whom
leaks/               benchmark items in records
judging/             difficulty and skills, by a judge
selection/           which records make the mix
mix/                 what lies on disk in the end
steps/, on_ray       a step, done once for every shard
tables, index        the files of a run; what is known of all records at once
"""

from evolray.calling import calls_function

calls_function(__name__)
