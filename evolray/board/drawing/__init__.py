"""The figures, one file each: numbers in, a matplotlib Figure and its words out."""
