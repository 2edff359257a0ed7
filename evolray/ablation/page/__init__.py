"""The page of an ablation: what was done, figures, the table, answers side by side, how to do it again."""
