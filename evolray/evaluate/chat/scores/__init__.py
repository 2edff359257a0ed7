"""Scores from verdicts; values in, values out.

combining                   the verdicts on one turn of a problem, in both orders and over repeats, to its outcome
relative, rating, winning   a score per kind of protocol, all by one estimator, ratio
length_controlled           a win rate as if all answers were equally long
reliability, kappas         how far the judge agrees with itself, and with people
outcomes, entry             put together: a line per problem, and what scores.json says
"""
