"""Runs the modules of tests named as arguments; its last line counts them, as tests/run expects of a part.

With --without=NAME first, they find no package of that name: redis-py decodes by hiredis wherever that is installed.
"""

import sys
import unittest

names = sys.argv[1:]
if names[0].startswith("--without="):
    sys.modules[names.pop(0).removeprefix("--without=")] = None
suite = unittest.defaultTestLoader.loadTestsFromNames(names)
result = unittest.TextTestRunner(stream=sys.stdout, verbosity=2, warnings="error").run(suite)
failed = len(result.failures) + len(result.errors) + len(result.unexpectedSuccesses)
# Nothing is skipped silently: a test that did not run has not passed.
failed += len(result.skipped) + len(result.expectedFailures)
print(f"{result.testsRun - failed} passed, {failed} failed")
sys.exit(failed > 0 or result.testsRun == 0)
