"""What is in config/ for systemd and containers, read by the programs that know these files."""

import os
import re
import shutil
import subprocess
import tempfile
import unittest
import urllib.request
from pathlib import Path

import redis
from mayfly import Mayfly, wait_until

CONFIGURED = Path(__file__, "../../../config").resolve()
SERVICE = CONFIGURED / "systemd/mayfly.service"
UNITS = sorted((CONFIGURED / "systemd").iterdir())
# From 0, all that systemd can take from a service, to 10, nothing taken. A service as it comes has 9.2.
EXPOSURE_MAX = 1.5


def run(*words: str | Path, **options) -> subprocess.CompletedProcess[str]:
    return subprocess.run(words, capture_output=True, text=True, timeout=120, **options)


def setting(name: str) -> list[str]:
    """The values of a key of the service, in order."""
    return re.findall(rf"^{name}=(.*)$", SERVICE.read_text(), re.MULTILINE)


def allowed_calls() -> set[str]:
    """The system calls that the service may make: sets with an @, taken away by a ~."""
    listing = run("systemd-analyze", "--no-pager", "syscall-filter").stdout
    groups: dict[str, set[str]] = {}
    for line in listing.splitlines():
        if line.startswith("@"):
            group = groups.setdefault(line.strip(), set())
        elif line.startswith("    ") and not line.strip().startswith("#"):
            group.add(line.strip())

    def members(name: str) -> set[str]:
        return set().union(*(members(member) for member in groups[name])) if name in groups else {name}

    allowed: set[str] = set()
    for words in setting("SystemCallFilter"):
        named = set().union(*(members(word) for word in words.removeprefix("~").split()))
        allowed = allowed - named if words.startswith("~") else allowed | named
    return allowed


class Systemd(unittest.TestCase):
    def test_the_units_are_right(self) -> None:
        # The program is not installed here, and systemd looks for it.
        with tempfile.TemporaryDirectory() as folder:
            for unit in UNITS:
                text = unit.read_text().replace("/usr/bin/mayfly", os.environ["MAYFLY_BINARY"])
                Path(folder, unit.name).write_text(text)
            done = run("systemd-analyze", "verify", "--man=no", *Path(folder).iterdir())
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))
        self.assertEqual(len(UNITS), 4)

    def test_the_service_is_shut_in(self) -> None:
        done = run("systemd-analyze", "security", "--offline=true", "--no-pager", SERVICE)
        exposure = re.search(r"Overall exposure level for mayfly.service: ([0-9.]+)", done.stdout)
        self.assertIsNotNone(exposure, done.stdout + done.stderr)
        print(f"\nexposure {exposure[1]}", end="")
        self.assertLessEqual(float(exposure[1]), EXPOSURE_MAX, done.stdout)

    def test_its_command_line_is_right(self) -> None:
        (line,) = setting("ExecStart")
        words = line.replace("/usr/bin/mayfly", os.environ["MAYFLY_BINARY"])
        words = words.replace("/etc/mayfly/mayfly.toml", str(CONFIGURED / "mayfly.toml"))
        done = run(*words.split(), "--check-config")
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_a_server_that_does_all_it_can_makes_no_system_call_that_is_forbidden(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        trace, real = Path(folder.name, "trace"), os.environ["MAYFLY_BINARY"]
        traced = Path(folder.name, "mayfly")
        traced.write_text(f'#!/bin/sh\nexec strace --daemonize=grandchild -f -qq -o {trace} {real} "$@"\n')
        traced.chmod(0o755)
        os.environ["MAYFLY_BINARY"] = str(traced)
        try:
            server = Mayfly(MAYFLY_PERSISTENCE__DIR=folder.name + "/data", MAYFLY_SERVER__HUGE_PAGES="true")
        finally:
            os.environ["MAYFLY_BINARY"] = real
        with redis.Redis(port=server.port) as client:
            client.execute_command("HSETEX", "key", "field", "value", 1)
            client.execute_command("HSETEX", "short", "KEY", "PX", 5, "FIELDS", 1, "field", "value")
            client.execute_command("BGSAVE")
            client.info("all")
            client.config_set("timeout", 100)
            wait_until("the snapshot is finished", lambda: any(Path(folder.name, "data").glob("snapshot-*")))
        with urllib.request.urlopen(f"http://127.0.0.1:{server.metrics_port}/metrics", timeout=10) as answer:
            self.assertEqual(answer.status, 200)
        server.stop()
        calls = set(re.findall(r"^\d+ +(?:<\.\.\. )?([a-z_0-9]+)(?:\(| resumed)", trace.read_text(), re.MULTILINE))
        print(f"\n{len(calls)} different system calls", end="")
        allowed = allowed_calls()
        self.assertEqual((len(calls) > 30, "read" in allowed, "setrlimit" in allowed), (True, True, False))
        self.assertEqual(calls - allowed, set())

    def test_files_suffice_for_the_clients(self) -> None:
        (files,) = setting("LimitNOFILE")
        default = re.search(r"^connections_max = (\d+)$", (CONFIGURED / "mayfly.toml").read_text(), re.MULTILINE)
        self.assertGreater(int(files), int(default[1]) + 1000)


class Containers(unittest.TestCase):
    """Images are not built here: there is no engine."""

    def test_hadolint_finds_nothing_in_the_dockerfile(self) -> None:
        done = run(operator("hadolint"), "--failure-threshold", "style", CONFIGURED / "docker/Dockerfile")
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))

    def test_hadolint_would_find_something(self) -> None:
        done = run(operator("hadolint"), "-", input="FROM debian:latest\nRUN cd /tmp && sudo true\n")
        self.assertIn("DL3007", done.stdout)
        self.assertEqual(done.returncode, 1)

    def test_the_compose_file_is_of_the_schema(self) -> None:
        schema = ["--builtin-schema", "vendor.compose-spec"]
        done = run(operator("check-jsonschema"), *schema, CONFIGURED / "docker/compose.yaml")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_paths_in_both_exist(self) -> None:
        root, here = CONFIGURED.parent, CONFIGURED / "docker"
        compose = (here / "compose.yaml").read_text()
        self.assertEqual((here / re.search(r"context: (.*)", compose)[1]).resolve(), root)
        self.assertTrue((root / re.search(r"dockerfile: (.*)", compose)[1]).is_file())
        self.assertTrue((here / "../prometheus/prometheus.yml").is_file())
        ignored = (here / "Dockerfile.dockerignore").read_text()
        for needed in re.findall(r"^!(.*)$", ignored, re.MULTILINE):
            self.assertTrue((root / needed).exists(), needed)

    def test_the_health_check_and_the_variables_of_the_image_are_known_to_the_program(self) -> None:
        dockerfile = (CONFIGURED / "docker/Dockerfile").read_text()
        variables = dict(re.findall(r"(MAYFLY_[A-Z_]+)=(\S+)", dockerfile))
        done = run(os.environ["MAYFLY_BINARY"], "--check-config", env=os.environ | variables)
        self.assertEqual((len(variables), done.returncode, done.stderr), (3, 0, ""))
        server = Mayfly()
        health = re.search(r'HEALTHCHECK .* CMD \["/usr/bin/mayfly", "(.*)"\]', dockerfile)[1]
        variables = {"MAYFLY_SERVER__PORT": str(server.port)}
        done = run(os.environ["MAYFLY_BINARY"], health, env=os.environ | variables)
        self.assertEqual((done.returncode, done.stdout), (0, "PONG\n"))
        server.stop()
        done = run(os.environ["MAYFLY_BINARY"], health, env=os.environ | variables)
        self.assertEqual(done.returncode, 1)


def operator(name: str) -> str:
    """A program that tests/run has installed."""
    return shutil.which(name, path=os.environ["OPERATOR"] + "/bin") or name
