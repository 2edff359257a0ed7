"""From records and files to token ids, each marked as trained or not, on disk.

sources     where examples come from
examples    from a record to token ids and their marks, by chat format
tokenizer   the student's tokenizer
tokens      a batch of examples at a time: what fits, and what does not with its reason
store       what every worker reads at random
on_ray      all of it on every core of the cluster
"""
