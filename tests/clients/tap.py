"""Runs a program against a Mayfly that tells of every keyspace event, and counts what it reports as TAP.

    tap.py COMMAND [ARGUMENT...]

The program gets the port as its last argument and prints "ok ..." or "not ok ..." for each thing it tried, at its
end "1..N", how many these were. The last line here counts them, as tests/run expects of a part.
"""

import re
import subprocess
import sys

from mayfly import Mayfly

PROGRAM_SECONDS = 120

server = Mayfly(MAYFLY_EVENTS__NOTIFY="KEA")
program = subprocess.run(
    [*sys.argv[1:], str(server.port)], stdout=subprocess.PIPE, text=True, timeout=PROGRAM_SECONDS
)
print(program.stdout, end="")
passed = len(re.findall(r"^ok\b", program.stdout, re.MULTILINE))
failed = len(re.findall(r"^not ok\b", program.stdout, re.MULTILINE))
plan = re.search(r"^1\.\.(\d+)$", program.stdout, re.MULTILINE)
if program.returncode != 0 or not plan or int(plan[1]) != passed + failed:
    print(f"the program broke off with exit code {program.returncode}")
    failed = max(failed, 1)
server.stop()
print(f"{passed} passed, {failed} failed")
sys.exit(failed > 0 or passed == 0)
