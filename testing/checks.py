"""Runs named checks and counts them: a line for each, and `N passed, N failed` at the end.

For tests that need one running server and many looks at it. Standard library only.
"""

from __future__ import annotations

import traceback


class Checks:
    """Checks are functions whose names are sentences; the first line of a failure is printed with its name."""

    def __init__(self):
        self._passed = 0
        self._failed = 0

    def run(self, check, *arguments) -> None:
        """Runs one check. It fails by raising."""
        name = check.__name__.replace("_", " ")
        try:
            check(*arguments)
        except Exception:  # noqa: BLE001: whatever is raised is a failed check
            self._failed += 1
            print(f"  FAILED  {name}\n{traceback.format_exc()}")
        else:
            self._passed += 1
            print(f"  ok      {name}")

    def finish(self) -> int:
        """Prints the counts; answers the exit code."""
        print(f"{self._passed} passed, {self._failed} failed")
        return 1 if self._failed or not self._passed else 0
