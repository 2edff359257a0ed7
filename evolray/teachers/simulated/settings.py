"""What the simulated server pretends: its settings, and the command line they come from."""

import argparse
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NoReturn

from evolray.teachers.simulated import MODEL

FAULTS = ("429", "500", "drop", "hang", "malformed", "truncated", "empty")
KEY_VARIABLE = "EVOLRAY_SIMULATED_KEY"  # how `running` hands the key to the child: never on a command line


@dataclass(frozen=True)
class ServerSettings:
    """What the server pretends. Raises ValueError for values that make no sense.

    `latency_seconds` is the median of a lognormal distribution with `sigma`, drawn per prompt: a prompt always takes
    equally long. `capacity` requests are worked on at once, the rest queue; `requests_per_minute` are let through,
    with a burst of one second's worth; 0 means no limit for both. `faults` are shares of the requests, drawn per
    request, so that asking again can help. `seed` and `flaws` are the teacher's; `judge_bias` (points for the answer
    that is shown first) and `judge_noise` (a standard deviation, in points) are those of its verdicts on answers. Port
    0 takes a free one.
    """

    host: str = "127.0.0.1"
    port: int = 0
    latency_seconds: float = 0.0
    sigma: float = 0.0
    capacity: int = 0
    requests_per_minute: float = 0.0
    faults: Mapping[str, float] = field(default_factory=dict)
    seed: int = 0
    flaws: float = 0.1
    judge_bias: float = 0.0
    judge_noise: float = 0.0
    api_key: str = field(default="", repr=False)
    models: tuple[str, ...] = (MODEL,)

    def __post_init__(self) -> None:
        if not 0 <= self.port < 65536:
            raise ValueError(f"--port {self.port}: expected 0-65535 (0 takes a free one)")
        for option, value in (
            ("latency", self.latency_seconds),
            ("sigma", self.sigma),
            ("capacity", self.capacity),
            ("rpm", self.requests_per_minute),
        ):
            if not 0 <= value < math.inf:
                raise ValueError(f"--{option} {value}: expected a number of 0 or more")
        if not 0 <= self.flaws <= 1:
            raise ValueError(f"--flaws {self.flaws}: expected a share between 0 and 1")
        if not -9 <= self.judge_bias <= 9:
            raise ValueError(f"--judge-bias {self.judge_bias}: expected a number of points between -9 and 9")
        if not 0 <= self.judge_noise <= 9:
            raise ValueError(f"--judge-noise {self.judge_noise}: expected a number of points between 0 and 9")
        unknown = [name for name in self.faults if name not in FAULTS]
        if unknown:
            raise ValueError(f"--fault {unknown[0]}: unknown, expected some of {', '.join(FAULTS)}")
        if not all(share >= 0 for share in self.faults.values()) or not sum(self.faults.values()) <= 1:
            raise ValueError(f"--fault: shares must be 0 or more and 1 at most together, got {dict(self.faults)}")
        if not self.models or not all(self.models):
            raise ValueError("--models: expected one name or several, with commas between them")


class _OneLineParser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise ValueError(message)


def parse_arguments(argv: Sequence[str]) -> ServerSettings:
    """Raises ValueError for an unknown option or a wrong value; SystemExit(0) after --help."""
    parser = _OneLineParser(
        prog="evolray simulate-endpoint",
        description="The offline teacher as an OpenAI-compatible server.",
        allow_abbrev=False,
    )
    default = ServerSettings()
    parser.add_argument("--host", default=default.host)
    parser.add_argument("--port", type=int, default=8000, help="0 takes a free one")
    parser.add_argument("--latency", type=float, default=default.latency_seconds, help="median, in seconds")
    parser.add_argument("--sigma", type=float, default=default.sigma, help="spread of the lognormal latency")
    parser.add_argument("--capacity", type=int, default=default.capacity, help="requests at once; 0 is no limit")
    parser.add_argument("--rpm", type=float, default=default.requests_per_minute, help="0 is no limit")
    parser.add_argument("--fault", default="", help=f"NAME=SHARE,... of {', '.join(FAULTS)}")
    parser.add_argument("--seed", type=int, default=default.seed)
    parser.add_argument("--flaws", type=float, default=default.flaws, help="share of defective answers")
    parser.add_argument(
        "--judge-bias", type=float, default=default.judge_bias, help="points for the answer shown first"
    )
    parser.add_argument("--judge-noise", type=float, default=default.judge_noise, help="standard deviation, in points")
    parser.add_argument("--api-key-env", default="", help="environment variable that holds the key to require")
    parser.add_argument("--models", default=MODEL, help="names, with commas between them")
    given = parser.parse_args(argv)
    if given.api_key_env and not os.environ.get(given.api_key_env):
        raise ValueError(f"--api-key-env {given.api_key_env}: that environment variable is not set")
    return ServerSettings(
        host=given.host,
        port=given.port,
        latency_seconds=given.latency,
        sigma=given.sigma,
        capacity=given.capacity,
        requests_per_minute=given.rpm,
        faults=_read_faults(given.fault),
        seed=given.seed,
        flaws=given.flaws,
        judge_bias=given.judge_bias,
        judge_noise=given.judge_noise,
        api_key=os.environ.get(given.api_key_env, "") if given.api_key_env else "",
        models=tuple(name.strip() for name in given.models.split(",")),
    )


def _read_faults(text: str) -> dict[str, float]:
    faults = {}
    for entry in filter(None, (one.strip() for one in text.split(","))):
        name, _, share = entry.partition("=")
        try:
            faults[name.strip()] = float(share)
        except ValueError:
            raise ValueError(f"--fault {entry}: expected NAME=SHARE, such as 429=0.02") from None
    return faults


def as_arguments(settings: ServerSettings) -> list[str]:
    """The command line that `parse_arguments` turns into these settings; the key goes by `KEY_VARIABLE`."""
    options = {
        "host": settings.host,
        "port": settings.port,
        "latency": settings.latency_seconds,
        "sigma": settings.sigma,
        "capacity": settings.capacity,
        "rpm": settings.requests_per_minute,
        "seed": settings.seed,
        "flaws": settings.flaws,
        "judge-bias": settings.judge_bias,
        "judge-noise": settings.judge_noise,
        "models": ",".join(settings.models),
    }
    if settings.faults:
        options["fault"] = ",".join(f"{name}={share}" for name, share in settings.faults.items())
    if settings.api_key:
        options["api-key-env"] = KEY_VARIABLE
    return [f"--{name}={value}" for name, value in options.items()]
