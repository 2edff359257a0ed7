"""Chat benchmarks: answers that a judge compares or rates, by the protocols of the papers."""
