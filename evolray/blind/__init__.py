"""Human evaluation: blinded sheets out, ratings in."""

from evolray.calling import calls_function

calls_function(__name__)
