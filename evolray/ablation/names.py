"""What the parts of an ablation are called: on disk, as steps, and for people."""

POOL, SWEEP = "pool", "sweep"
MIXES, STUDENTS = "mixes", "students"
EVOLVE = "evolve"


def folder_name(generations: int) -> str:
    """Of a student and of its mix; a sweep calls the student by it, too."""
    return f"generations-{generations}"


def mix_folder(generations: int) -> str:
    return f"{MIXES}/{folder_name(generations)}"


def student_folder(generations: int) -> str:
    return f"{STUDENTS}/{folder_name(generations)}"


def title(generations: int) -> str:
    """For people."""
    return "seeds only" if generations == 0 else f"{generations} generation{'' if generations == 1 else 's'}"


def refine_step(generations: int) -> str:
    return f"refine-{generations}"


def cut_step(generations: int) -> str:
    return f"cut-{generations}"


def train_step(generations: int) -> str:
    return f"train-{generations}"
