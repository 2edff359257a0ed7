"""What people bring: problems, answers and ready verdicts, in the forms in which they are published."""
