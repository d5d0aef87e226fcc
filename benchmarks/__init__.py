"""Speed as ratios: what a user waits for, beside what they would wait for without meterspec.

`specs` writes documents of any size, `yardsticks` are programs to compare with, `peers` are other tools on comparable
documents, `measure` runs commands as cold processes, and `validate` is the table.
"""
