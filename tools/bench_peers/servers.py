"""The servers as they are measured.

They come from the laboratory of tests/interop, which knows how to run them from a scratch
directory, with configurations of their own: no archives, no shapers or rate limits, quiet
logs, one core, certificates alone between servers. Peers have one of two sets of modules:
"shipped", what Debian's default configuration turns on, or "lean", only what the rows need.
"""

import asyncio
import hashlib
import hmac
import http.client
import json
import os
import shutil
from concurrent.futures import ThreadPoolExecutor

from lab.causeway import Causeway
from lab.ejabberd import API_PORT, Ejabberd
from lab.process import run
from lab.prosody import Prosody
from lab.server import C2S_PORT, C2S_TLS_PORT, S2S_PORT, S2S_TLS_PORT
from lab.waiting import LabError

PASSWORD = "password"
# What each server takes by default when it hashes a password itself; Causeway is told to.
ITERATIONS = {"causeway": 4096, "archiving": 4096, "prosody": 10000, "ejabberd": 4096}
SERVER_CORE = "0"

LEAN = {
    "prosody": "roster saslauth tls disco ping smacks".split(),
    "ejabberd": "disco http_api offline ping roster stream_mgmt".split(),
}
# Without what limits rates, archives, or needs a listener or a site's own rules: of Prosody
# "limits", of ejabberd mod_pres_counter, mod_bosh, mod_mqtt, mod_stun_disco, mod_announce.
SHIPPED = {
    "prosody": LEAN["prosody"] + """blocklist bookmarks carbons pep private vcard4 vcard_legacy
        csi_simple invites invites_adhoc invites_register register time uptime version
        admin_adhoc admin_shell""".split(),
    "ejabberd": LEAN["ejabberd"] + """adhoc admin_extra avatar blocking caps carboncopy
        client_state configure fail2ban last muc muc_admin privacy private pubsub push
        push_keepalive shared_roster sic vcard vcard_xupdate version""".split(),
}
MODULES = {"shipped": SHIPPED, "lean": LEAN}
EJABBERD_MODULE_OPTIONS = {
    "pubsub": "{plugins: [flat, pep]}",
    "roster": "{versioning: true}",
    "stream_mgmt": "{resend_on_timeout: if_offline}",
    "vcard": "{search: false}",
}

PROSODY = """
run_as_root = true
pidfile = "{directory}/prosody.pid"
data_path = "{directory}/data"
plugin_paths = {{}}
log = {{ warn = "{directory}/prosody.log" }}
interfaces = {{ "{address}" }}
c2s_ports = {{ {C2S_PORT} }}
c2s_direct_tls_ports = {{ {C2S_TLS_PORT} }}
s2s_ports = {{ {S2S_PORT} }}
s2s_direct_tls_ports = {{ {S2S_TLS_PORT} }}
http_ports = {{}}
https_ports = {{}}
modules_enabled = {{ {modules} }}
modules_disabled = {{ "dialback" }}
authentication = "internal_hashed"
storage = "internal"
c2s_require_encryption = true
s2s_require_encryption = true
s2s_secure_auth = true
certificates = "{directory}/certificates"
ssl = {{ cafile = "{trust}"; capath = "{directory}/no-authorities" }}
unbound = {{ resolvconf = false; hoststxt = false; forward = {{ "{dns}" }};
  options = {{ ["local-zone:"] = "test. transparent"; ["do-not-query-localhost:"] = "no" }} }}
"""

EJABBERD = """
hosts: [{hosts}]
loglevel: warning
ca_file: "{trust}"
certfiles:
{certfiles}
s2s_use_starttls: required
auth_method: internal
auth_password_format: scram
listen:
  - {{ip: "{address}", port: {C2S_PORT}, module: ejabberd_c2s, starttls_required: true,
     max_stanza_size: 262144, backlog: 1024}}
  - {{ip: "{address}", port: {C2S_TLS_PORT}, module: ejabberd_c2s, tls: true,
     max_stanza_size: 262144, backlog: 1024}}
  - {{ip: "{address}", port: {S2S_PORT}, module: ejabberd_s2s_in}}
  - {{ip: "{address}", port: {S2S_TLS_PORT}, module: ejabberd_s2s_in, tls: true}}
  - {{ip: "{address}", port: {API_PORT}, module: ejabberd_http,
     request_handlers: {{/api: mod_http_api}}}}
api_permissions:
  "accounts":
    who: {{ip: 127.0.0.0/8}}
    what: [register, status]
acl:
  local: {{user_regexp: ""}}
access_rules:
  local: {{allow: local}}
modules:
{modules}
"""

INETRC = """{{resolv_conf, ""}}.
{{hosts_file, ""}}.
{{nameserver, {{{octets}}}, {port}}}.
{{lookup, [dns]}}.
"""


def user_name(number):
    """The accounts' names, as causeway-bench makes them of its default pattern."""
    return f"user{number}"


class Pinned:
    """Mixed into a server: it runs on one core, and gets its accounts many at a time."""

    accounts = 0
    modules = "shipped"

    def command(self):
        arguments, environment = super().command()
        return ["taskset", "-c", SERVER_CORE, *arguments], environment

    async def ensure_accounts(self, count):
        """Adds whatever is missing of the first `count` accounts."""
        if count > self.accounts:
            await self.add_accounts(range(self.accounts, count))
            self.accounts = count

    async def add_accounts(self, numbers):
        raise NotImplementedError


class BenchProsody(Pinned, Prosody):
    def configure(self):
        dns = self.lab.dns
        text = PROSODY.format(
            directory=self.directory, address=self.address, trust=self.lab.authority.trust,
            dns=f"{dns.address}@{dns.port}",
            modules=", ".join(f'"{name}"' for name in MODULES[self.modules]["prosody"]),
            C2S_PORT=C2S_PORT, C2S_TLS_PORT=C2S_TLS_PORT,
            S2S_PORT=S2S_PORT, S2S_TLS_PORT=S2S_TLS_PORT)
        for name in ("data", "no-authorities"):
            os.makedirs(f"{self.directory}/{name}", exist_ok=True)
        certificate = self.certificate(self.domain)
        directory = f"{self.directory}/certificates/{self.domain}"
        os.makedirs(directory)
        os.symlink(certificate.chain, f"{directory}/fullchain.pem")
        os.symlink(certificate.key, f"{directory}/privkey.pem")
        self.write("prosody.cfg.lua", text + f'VirtualHost "{self.domain}"\n')

    async def add_accounts(self, numbers):
        # Written straight into its store, hashed as it does; one salt serves all of them.
        salt, iterations = "causeway-bench-salt", ITERATIONS["prosody"]
        salted = hashlib.pbkdf2_hmac("sha1", PASSWORD.encode(), salt.encode(), iterations)
        stored = hashlib.sha1(hmac.digest(salted, b"Client Key", "sha1")).hexdigest()
        server = hmac.digest(salted, b"Server Key", "sha1").hex()
        account = (f'return {{ ["iteration_count"] = {iterations}; ["salt"] = "{salt}"; '
                   f'["stored_key"] = "{stored}"; ["server_key"] = "{server}"; }};\n')
        host = self.domain.replace(".", "%2e")
        for number in numbers:
            self.write(f"data/{host}/accounts/{user_name(number)}.dat", account)

    def tail(self, lines=30):
        return self.process.tail(lines) if self.process else ""


class BenchEjabberd(Pinned, Ejabberd):
    def configure(self):
        super().configure()
        certificate = self.certificate(self.domain)
        self.write("ejabberd.yml", EJABBERD.format(
            hosts=self.domain, trust=self.lab.authority.trust, address=self.address,
            certfiles=f'  - "{certificate.chain}"\n  - "{certificate.key}"',
            modules="\n".join(f"  mod_{name}: {EJABBERD_MODULE_OPTIONS.get(name, '{}')}"
                              for name in MODULES[self.modules]["ejabberd"]),
            API_PORT=API_PORT, C2S_PORT=C2S_PORT, C2S_TLS_PORT=C2S_TLS_PORT, S2S_PORT=S2S_PORT,
            S2S_TLS_PORT=S2S_TLS_PORT))
        dns = self.lab.dns
        # With its cache on, unlike in the laboratory: as in real use.
        self.write("inetrc", INETRC.format(octets=dns.address.replace(".", ","), port=dns.port))

    def command(self):
        arguments, environment = super().command()
        # One scheduler for its one core.
        place = arguments.index("+S") + 1
        arguments[place] = "1:1"
        return arguments, environment

    async def add_accounts(self, numbers):
        workers = 4
        shares = [list(numbers)[start::workers] for start in range(workers)]
        loop = asyncio.get_running_loop()
        with ThreadPoolExecutor(workers) as pool:
            await asyncio.gather(*(loop.run_in_executor(pool, self._register, share)
                                   for share in shares))

    def _register(self, numbers):
        connection = http.client.HTTPConnection(self.address, API_PORT, timeout=30)
        for number in numbers:
            body = json.dumps({"user": user_name(number), "host": self.domain,
                               "password": PASSWORD})
            connection.request("POST", "/api/register", body,
                               {"Content-Type": "application/json"})
            answer = connection.getresponse()
            text = answer.read().decode("utf-8", "replace")
            if answer.status not in (200, 409):
                raise LabError(f"ejabberd does not register an account: {answer.status} {text}")
        connection.close()


class BenchCauseway(Pinned, Causeway):
    iterations = ITERATIONS["causeway"]
    archives = False

    def configure(self):
        self.settings = {
            "log": {"level": "warn"},
            "server": {"threads": 1},
            # Shapers off, as with the peers; nor do these keep streams over a restart.
            "archive": {"enabled": self.archives},
            "limits": {"client_read_bytes_per_second": 0, "server_read_bytes_per_second": 0,
                       "kept_streams_per_account": 0},
        }
        super().configure()

    async def add_accounts(self, numbers):
        lines = [f"{user_name(number)}@{self.domain}\t{PASSWORD}\n" for number in numbers]
        path = self.write("accounts.tsv", "".join(lines))
        status, _, reason = await run(
            [f"{self.lab.build}/tools/causewayctl", "--socket", self.socket, "user", "add",
             "--bulk", path, "--iterations", str(self.iterations)], deadline=900)
        if status != 0:
            raise LabError(f"causewayctl adds no accounts: {reason.strip()}")


class BenchArchiving(BenchCauseway):
    """Causeway with archives: a message is stored before it is acknowledged."""
    archives = True


KINDS = {"causeway": BenchCauseway, "archiving": BenchArchiving, "prosody": BenchProsody,
         "ejabberd": BenchEjabberd}
# What is measured unless --servers says otherwise.
USUAL = ["causeway", "prosody", "ejabberd"]
PROGRAMS = {"prosody": "prosody", "ejabberd": "ejabberdctl"}


def absence_of(kind, build):
    """None if a server of this kind can be run here, else why not."""
    if kind in ("causeway", "archiving"):
        for program in ("gateway/causeway", "tools/causewayctl"):
            if not os.access(f"{build}/{program}", os.X_OK):
                return f"{build}/{program} is not built"
        return None
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    if not shutil.which(PROGRAMS[kind], path=path):
        return f"{kind} is not installed"
    return None


async def version_of(server):
    """One word or two for the table's foot."""
    if server.kind == "causeway":
        _, out, _ = await run([f"{server.lab.build}/gateway/causeway", "--version"])
        return out.strip()
    _, out, _ = await run(["dpkg-query", "-W", "-f", "${Version}", server.kind])
    return f"{server.kind} {out.strip()}"
