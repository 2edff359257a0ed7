"""The account of what was seen: blind to order and workers, not to a lost or a repeated example."""

from evolray.train.seen import Seen

IDS = [f"data.jsonl:{line}" for line in range(1, 101)]


def of(*parts: tuple[list[str], int]) -> Seen:
    seen = Seen()
    for ids, epoch in parts:
        seen.add(ids, epoch)
    return seen


def test_the_order_does_not_matter() -> None:
    assert of((IDS, 0), (IDS, 1)) == of((IDS[::-1], 1), (IDS[50:], 0), (IDS[:50], 0))
    assert of((IDS, 0)).examples == 100


def test_workers_together_have_seen_what_one_would_have() -> None:
    workers = [of((IDS[start::3], 0)) for start in range(3)]
    assert workers[0].join(workers[1:]) == of((IDS, 0))
    assert workers[0] == of((IDS[::3], 0))  # joining does not change those that are joined


def test_a_lost_a_repeated_or_an_exchanged_example_shows() -> None:
    whole = of((IDS, 0), (IDS, 1))
    lost = of((IDS, 0), (IDS[1:], 1))
    repeated = of((IDS, 0), (IDS[1:], 1), (IDS[1:2], 1))
    wrong_epoch = of((IDS, 0), (IDS, 0))
    assert repeated.examples == whole.examples == wrong_epoch.examples
    assert len({one.digest for one in (whole, lost, repeated, wrong_epoch)}) == 4


def test_the_digest_is_16_hex_digits_that_stay_what_they_are() -> None:
    """Checkpoints hold it, so a new version must count as the old one did."""
    assert Seen().hexadecimal == "0" * 16
    assert of((["data.jsonl:1"], 0)).hexadecimal == "fc1c5dadd10ef02f"
    assert of((["data.jsonl:1", "data.jsonl:2"], 3)).hexadecimal == "0bfbdb24f131ba23"
    assert Seen(5, int("00000000000000ff", 16)).hexadecimal == "00000000000000ff"
