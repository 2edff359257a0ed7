"""Weight diffs: what turns a raw model into a tuned one, to hand around without handing around the raw model.

    evolray diff make RAW TUNED DIFF          RAW and TUNED are Hugging Face folders of safetensors
    evolray diff recover RAW DIFF TUNED       the TUNED folder again, bit for bit

    DIFF/diff.json              the raw tensors it needs, and the hash of everything it gives back
    DIFF/delta/*.safetensors    the tuned files with their headers as they were, and differences instead of weights
    DIFF/...                    the tuned folder's other files: config, tokenizer, chat template, evolray.json

The difference is the exclusive or of the two bit patterns, not a subtraction of the two numbers. A float difference
is rounded, so that (tuned - raw) + raw need not be tuned: the smaller the change, and the shorter the dtype, the more
bits are lost. Bits are not, whatever the dtype, NaN and -0.0 included; a weight that did not change is a zero.

The weights lie in a folder of their own so that nobody loads a diff for a model by accident. A diff keeps its
contents from no one who has the raw model, and rows and tensors that the raw model lacks are stored as they are. Its
hashes find damage and a wrong raw model; they do not say who made it. No pickle is read, copied or given back.
"""

from evolray.diff.making import make
from evolray.diff.recovery import recover
from evolray.diff.summary import Summary

__all__ = ["Summary", "make", "recover"]
