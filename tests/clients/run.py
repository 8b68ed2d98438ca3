"""Runs the modules of tests named as arguments; its last line counts them, as tests/run expects of a part."""

import sys
import unittest

suite = unittest.defaultTestLoader.loadTestsFromNames(sys.argv[1:])
result = unittest.TextTestRunner(stream=sys.stdout, verbosity=2, warnings="error").run(suite)
failed = len(result.failures) + len(result.errors) + len(result.unexpectedSuccesses)
# Nothing is skipped silently: a test that did not run has not passed.
failed += len(result.skipped) + len(result.expectedFailures)
print(f"{result.testsRun - failed} passed, {failed} failed")
sys.exit(failed > 0 or result.testsRun == 0)
