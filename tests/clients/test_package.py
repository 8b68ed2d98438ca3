"""The Debian package that config/package/build makes: what is in it, and that it works from where it is put.

The file is that of PACKAGE, which tests/run sets.
"""

import gzip
import os
import re
import subprocess
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__, "../../..").resolve()
PACKAGE = os.environ["PACKAGE"]
COMMANDS = ["check", "import", "export", "ping", "completions", "man"]


def run(*words: str | Path, **options) -> str:
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, **options)
    assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
    return done.stdout


def setUpModule() -> None:
    global unpacked
    folder = tempfile.TemporaryDirectory()
    unittest.addModuleCleanup(folder.cleanup)
    unpacked = Path(folder.name)
    run("dpkg-deb", "--raw-extract", PACKAGE, unpacked)


class Package(unittest.TestCase):
    def test_the_control_file(self) -> None:
        fields = dict(re.findall(r"^([A-Z][A-Za-z-]+): (.*)$", (unpacked / "DEBIAN/control").read_text(), re.MULTILINE))
        version = re.search(r'^version = "(.*)"', (ROOT / "Cargo.toml").read_text(), re.MULTILINE)[1]
        self.assertEqual((fields["Package"], fields["Version"]), ("mayfly", version))
        self.assertEqual(fields["Architecture"], run("dpkg", "--print-architecture").strip())
        self.assertRegex(fields["Depends"], r"^libc6 \(>= 2\.[0-9]+\), libgcc-s1$")
        # What else it would load, nobody would install.
        loads = set(re.findall(r"NEEDED +(\S+)", run("objdump", "-p", unpacked / "usr/bin/mayfly")))
        self.assertLessEqual(loads, {"libc.so.6", "libgcc_s.so.1", "libm.so.6", "ld-linux-x86-64.so.2"})
        self.assertEqual((unpacked / "DEBIAN/conffiles").read_text().split(), ["/etc/mayfly/mayfly.toml"])

    def test_every_file_is_as_in_the_repository_and_of_root(self) -> None:
        listing = run("dpkg-deb", "--contents", PACKAGE)
        print("\n" + listing, end="")
        for line in listing.splitlines():
            self.assertRegex(line, r"^(d|-)rw[x-]r-[x-]r-[x-] root/root ")
        for path, source in {
            "etc/mayfly/mayfly.toml": "config/mayfly.toml",
            "usr/lib/systemd/system/mayfly.service": "config/systemd/mayfly.service",
            "usr/lib/systemd/system/mayfly.socket": "config/systemd/mayfly.socket",
            "usr/lib/systemd/system/mayfly-tls.socket": "config/systemd/mayfly-tls.socket",
            "usr/lib/systemd/system/mayfly-metrics.socket": "config/systemd/mayfly-metrics.socket",
            "usr/share/doc/mayfly/examples/envoy.yaml": "config/envoy/mayfly.yaml",
            "usr/share/doc/mayfly/examples/prometheus/alerts.yml": "config/prometheus/alerts.yml",
            "usr/share/doc/mayfly/examples/grafana.json": "config/grafana/mayfly.json",
        }.items():
            self.assertEqual((unpacked / path).read_bytes(), (ROOT / source).read_bytes(), path)
        self.assertIn("Permission is hereby granted", (unpacked / "usr/share/doc/mayfly/copyright").read_text())
        log = gzip.decompress((unpacked / "usr/share/doc/mayfly/NEWS.gz").read_bytes())
        self.assertEqual(log, (ROOT / "CHANGELOG.md").read_bytes())

    def test_the_program_runs_with_the_settings_of_the_package(self) -> None:
        program = unpacked / "usr/bin/mayfly"
        self.assertRegex(run(program, "--version"), r"^mayfly [0-9.]+\n$")
        run(program, "--config", unpacked / "etc/mayfly/mayfly.toml", "--check-config")
        service = (unpacked / "usr/lib/systemd/system/mayfly.service").read_text()
        (line,) = re.findall(r"^ExecStart=(.*)$", service, re.MULTILINE)
        for path in re.findall(r"/(?:usr|etc)/\S+", line):
            self.assertTrue((unpacked / path.removeprefix("/")).exists(), path)

    def test_there_is_a_page_for_every_command(self) -> None:
        pages = {page.name: gzip.decompress(page.read_bytes()).decode() for page in unpacked.glob("usr/share/man/man1/*")}
        self.assertEqual(set(pages), {"mayfly.1.gz"} | {f"mayfly-{name}.1.gz" for name in COMMANDS})
        for name, page in pages.items():
            self.assertIn(f".TH {name.removesuffix('.1.gz')} 1", page)

    def test_bash_completes_commands_flags_and_shells(self) -> None:
        script = unpacked / "usr/share/bash-completion/completions/mayfly"

        def completed(*words: str) -> set[str]:
            line = " ".join(f"'{word}'" for word in words)
            asks = f"COMP_WORDS=({line}); COMP_CWORD={len(words) - 1}; _mayfly mayfly '{words[-1]}' '{words[-2]}'"
            return set(run("bash", "-c", f'. {script}; {asks}; printf "%s\\n" "${{COMPREPLY[@]}}"').split())

        self.assertLessEqual(set(COMMANDS), completed("mayfly", ""))
        self.assertEqual(completed("mayfly", "--metr"), {"--metrics-port"})
        self.assertEqual(completed("mayfly", "import", "--sk"), {"--skip-existing"})
        self.assertLessEqual({"bash", "zsh", "fish"}, completed("mayfly", "completions", ""))

    def test_the_scripts_are_right_and_harmless_without_systemd(self) -> None:
        for name, words in {"postinst": ["configure", ""], "prerm": ["upgrade"], "postrm": ["purge"]}.items():
            script = unpacked / "DEBIAN" / name
            self.assertTrue(script.read_text().startswith("#!/bin/sh\n"))
            run("sh", "-n", script)
