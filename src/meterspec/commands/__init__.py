"""What each command does: one pipeline call, words out, an exit code. `cli` reads the arguments.

A module holds commands that go together. `cli` imports the one that is asked for, so that a command loads nothing of
another.
"""
