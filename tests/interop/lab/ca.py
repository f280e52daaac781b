"""A certificate authority as in real life: a root, an intermediate, and leaves from it.

Peers trust the root alone, servers present leaf and intermediate. Profiles other than
"normal" are the certificates one meets and must judge: see `PROFILES`.
"""

import os
import subprocess
from dataclasses import dataclass

from .waiting import LabError

PROFILES = {
    "normal": "names the domain, serverAuth and clientAuth",
    "server-only": "serverAuth alone, as public authorities issue them today",
    "srv-id": "names the domain as SRVName only",
    "expired": "its time is over",
    "wrong-name": "names another domain",
    "self-signed": "nobody vouches for it",
}

AUTHORITY = """[ca]
default_ca = intermediate
[root]
dir = {directory}/root
private_key = {directory}/root.key
certificate = {directory}/root.crt
{common}
[intermediate]
dir = {directory}/intermediate
private_key = {directory}/intermediate.key
certificate = {directory}/intermediate.crt
{common}
[any]
commonName = supplied
[authority]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
"""
COMMON = """new_certs_dir = $dir
database = $dir/index
serial = $dir/serial
default_md = sha256
default_days = 30
policy = any
unique_subject = no
"""
LEAF = """[leaf]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = {usage}
subjectAltName = {names}
"""


@dataclass(frozen=True)
class Certificate:
    """Paths of a PEM chain (leaf first) and of its key."""
    chain: str
    key: str


class Authority:
    def __init__(self, directory):
        self.directory = directory
        self._made = {}
        for name in ("root", "intermediate"):
            os.makedirs(f"{directory}/{name}")
            open(f"{directory}/{name}/index", "w", encoding="utf-8").close()
            _write(f"{directory}/{name}/serial", "1000\n")
        self._config = f"{directory}/openssl.cnf"
        _write(self._config, AUTHORITY.format(directory=directory, common=COMMON))
        self._key("root")
        _openssl("req", "-x509", "-new", "-key", self._path("root.key"), "-subj", "/CN=Lab Root",
                 "-days", "3650", "-out", self._path("root.crt"), "-config", self._config,
                 "-extensions", "authority")
        self._key("intermediate")
        self._request("intermediate", "Lab Intermediate")
        _openssl("ca", "-batch", "-notext", "-config", self._config, "-name", "root",
                 "-extensions", "authority", "-in", self._path("intermediate.csr"),
                 "-out", self._path("intermediate.crt"))

    @property
    def trust(self):
        """The root certificate, the only one that peers are told to trust."""
        return self._path("root.crt")

    def issue(self, domain, profile="normal", also=()):
        """The certificate of a domain (made once); `also` are further dNSNames."""
        key = (domain, profile, tuple(also))
        if key not in self._made:
            self._made[key] = self._issue(domain, profile, also)
        return self._made[key]

    def _issue(self, domain, profile, also):
        if profile not in PROFILES:
            raise LabError(f"unknown certificate profile {profile}")
        base = f"{domain}.{profile}.{len(self._made)}"
        os.makedirs(self._path(base))
        result = Certificate(self._path(f"{base}/fullchain.pem"), self._path(f"{base}/privkey.pem"))
        subject = "elsewhere.invalid" if profile == "wrong-name" else domain
        names = ", ".join("DNS:" + name for name in [subject, *also])
        if profile == "srv-id":
            names = ", ".join(f"otherName:1.3.6.1.5.5.7.8.7;IA5STRING:_{service}.{domain}"
                              for service in ("xmpp-server", "xmpp-client"))
        usage = "serverAuth" if profile == "server-only" else "serverAuth, clientAuth"
        extensions = self._path(f"{base}.cnf")
        _write(extensions, LEAF.format(usage=usage, names=names))
        self._key(base, result.key)
        if profile == "self-signed":
            _openssl("req", "-x509", "-new", "-key", result.key, "-subj", f"/CN={subject}",
                     "-days", "30", "-out", result.chain, "-addext", f"subjectAltName={names}")
            return result
        self._request(base, subject, result.key)
        dates = ["-startdate", "20200101000000Z", "-enddate", "20210101000000Z"] \
            if profile == "expired" else []
        _openssl("ca", "-batch", "-notext", "-config", self._config, "-name", "intermediate",
                 "-extfile", extensions, "-extensions", "leaf", *dates,
                 "-in", self._path(f"{base}.csr"), "-out", self._path(f"{base}.crt"))
        _write(result.chain, _read(self._path(f"{base}.crt"))
               + _read(self._path("intermediate.crt")))
        return result

    def _path(self, name):
        return f"{self.directory}/{name}"

    def _key(self, name, path=None):
        path = path or self._path(f"{name}.key")
        _openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", path)

    def _request(self, name, subject, key=None):
        _openssl("req", "-new", "-key", key or self._path(f"{name}.key"), "-subj", f"/CN={subject}",
                 "-out", self._path(f"{name}.csr"))


def _openssl(*arguments):
    done = subprocess.run(["openssl", *arguments], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise LabError(f"openssl {arguments[0]} failed: {done.stderr.strip()[-400:]}")


def _read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def _write(path, text):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
