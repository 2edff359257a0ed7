"""What decides about formulas, in the versions installed. Read from the packages' metadata: sympy is not imported."""

from importlib.metadata import PackageNotFoundError, version

PACKAGES = ("sympy", "math-verify", "latex2sympy2_extended", "antlr4-python3-runtime")


def versions() -> dict[str, str]:
    found = {}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:  # the helper process says so when it is needed
            found[package] = "not installed"
    return found
