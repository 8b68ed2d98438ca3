"""Certificates for a test of TLS, made by openssl in a folder of their own."""

import subprocess
import tempfile
from pathlib import Path


class Certificates:
    """An authority, `ca.pem`, and what it has issued."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="mayfly-tls-")
        self.ca = self._path("ca.pem")
        key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
        self._new_key = key
        self._openssl("req", "-x509", *key, "-days", "2", "-subj", "/CN=test", "-keyout", self._path("ca.key"), "-out", self.ca)

    def issue(self, name: str) -> tuple[str, str]:
        """The files of a certificate for this machine and of its key."""
        certificate, key, request = self._path(f"{name}.pem"), self._path(f"{name}.key"), self._path(f"{name}.csr")
        names = self._path(f"{name}.ext")
        Path(names).write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
        self._openssl("req", *self._new_key, "-subj", f"/CN={name}", "-keyout", key, "-out", request)
        signing = ["-CA", self.ca, "-CAkey", self._path("ca.key"), "-CAcreateserial", "-days", "2", "-extfile", names]
        self._openssl("x509", "-req", "-in", request, *signing, "-out", certificate)
        return certificate, key

    def environment(self, port: int) -> dict[str, str]:
        """The settings of a server that asks its clients for a certificate."""
        certificate, key = self.issue("server")
        return {
            "MAYFLY_TLS__PORT": str(port),
            "MAYFLY_TLS__CERT_FILE": certificate,
            "MAYFLY_TLS__KEY_FILE": key,
            "MAYFLY_TLS__CA_CERT_FILE": self.ca,
        }

    def _path(self, name: str) -> str:
        return str(Path(self._folder.name) / name)

    def _openssl(self, *words: str) -> None:
        done = subprocess.run(["openssl", *words], capture_output=True, text=True)
        assert done.returncode == 0, f"openssl {words}: {done.stderr}"
