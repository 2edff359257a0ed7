"""Knowledge benchmarks, run by lm-eval itself: multiple choice by the likelihood of each choice."""
