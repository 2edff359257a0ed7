"""An endpoint as a sampler: asked with the client, limits, budget and ledger of the teachers (evolray/engine)."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from typing import Any

from evolray.config import ModelConfig, SamplerConfig
from evolray.engine.checking import check_endpoints, check_settings
from evolray.engine.coordinator import Coordinator
from evolray.engine.messages import Snapshot
from evolray.engine.roles import Script, make_roles
from evolray.engine.spending import READERS, add_up, spent
from evolray.pool.accounts import Accounts
from evolray.pool.layout import Folder, shards_in
from evolray.sampling.asking import SAMPLE, Asking, accounts_of
from evolray.sampling.naming import named_in
from evolray.sampling.questions import QUESTIONS, SAMPLED, read_samples
from evolray.sampling.sampler import Sampling
from evolray.sampling.temperature import temperature_of


class EndpointSampler:
    """`sampling.seed` is not sent, since few endpoints keep what it promises: `endpoint.extra_body={seed: 1}` does.

    Raises UserError for a setting that cannot work. `script` stands in for `endpoint.script`, for notebooks; `section`
    stands before the settings' names in errors.
    """

    has_chat_template = True

    def __init__(self, config: SamplerConfig, script: Script | None = None, section: str = "") -> None:
        with named_in(section):
            check_settings(config.engine, config.budget)
        roles, groups = make_roles({SAMPLE: (f"{section}endpoint", _model(config))}, script)
        self._work = Asking(roles, groups)
        self._engine, self._budget = config.engine, config.budget
        # Whoever only stands in for a model does not go by its name.
        self.name = (config.endpoint.model or "") if config.endpoint.kind == "endpoint" else config.endpoint.kind
        self.identity: Mapping[str, Any] = roles[SAMPLE].identity

    def check(self) -> None:
        """Raises UserError for a missing key, EndpointError when the endpoint is not there or lacks the model."""
        check_endpoints(self._work)

    def run(
        self, folder: Folder, shards: Sequence[int], show: Callable[[Sampling], None], beside: Sequence[Folder] = ()
    ) -> None:
        """As `Sampler.run`. In a shard that was finished before, what failed is asked again."""
        if not shards:
            return
        from evolray.engine import on_ray

        earlier = _earlier(folder, shards)
        paid = add_up([Accounts(usage=spent(folder, earlier, shards)), *map(_paid, beside)]).usage
        coordinator = Coordinator(self._work, self._budget, add_up(earlier), paid)
        finished, stop = on_ray.run_shards(
            self._work, coordinator, folder, list(shards), self._engine, lambda now: show(_sampling(now))
        )
        if stop:
            done = len(earlier) + len(finished)
            raise stop.as_error(f"{done} of {len(earlier) + len(shards)} shards are sampled")
        show(self._concluded(add_up([*earlier, *finished.values()])))

    def _concluded(self, accounts: Accounts) -> Sampling:
        """From what was written: the last snapshot is a moment older."""
        usage = accounts.usage.values()
        return Sampling(
            accounts.total("kept"),
            accounts.total("failed"),
            sum(one.prompt_tokens for one in usage),
            sum(one.completion_tokens for one in usage),
            self._work.cost(accounts.usage),
        )


def _model(config: SamplerConfig) -> ModelConfig:
    """The endpoint with what `sampling` says. How long an answer may be and where it stops is the question's; a
    temperature that a question has goes with its calls, in place of this one."""
    sampling, endpoint = config.sampling, asdict(config.endpoint)
    if sampling.top_k:
        endpoint["extra_body"] = {"top_k": sampling.top_k, **endpoint["extra_body"]}
    return ModelConfig(
        **endpoint, temperature=temperature_of(sampling), top_p=sampling.top_p,
        max_tokens=None, frequency_penalty=None, presence_penalty=None,
    )  # fmt: skip


def _earlier(folder: Folder, shards: Sequence[int]) -> list[Accounts]:
    """What is sampled in the shards that are not worked on now."""
    others = sorted({*shards_in(folder, SAMPLED)} & {*shards_in(folder, QUESTIONS)} - {*shards})
    with ThreadPoolExecutor(READERS) as readers:
        return list(readers.map(lambda shard: accounts_of(read_samples(folder, shard)), others))


def _paid(folder: Folder) -> Accounts:
    """All that was ever paid there, in finished shards and in others."""
    open_shards = {*shards_in(folder, QUESTIONS)} - {*shards_in(folder, SAMPLED)}
    return Accounts(usage=spent(folder, _earlier(folder, ()), open_shards))


def _sampling(now: Snapshot) -> Sampling:
    refused = f", {now.refused:,} refused" if now.refused else ""
    return Sampling(
        now.accounts.total("kept"),
        now.accounts.total("failed"),
        now.prompt_tokens,
        now.completion_tokens,
        now.cost,
        f"{now.in_flight} of {now.limit} in flight{refused}",
    )
