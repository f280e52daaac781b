"""ejabberd, as Debian packages it, without its control script, epmd or a node name."""

import asyncio
import json
import os
import re
import urllib.error
import urllib.request

from .namespace import mount_namespace_command
from .server import C2S_PORT, C2S_TLS_PORT, S2S_PORT, S2S_TLS_PORT, Server, password_of
from .waiting import LabError

API_PORT = 5280

CONFIG = """
hosts: [{hosts}]
loglevel: debug
ca_file: "{trust}"
certfiles:
{certfiles}
s2s_use_starttls: required
s2s_max_retry_delay: 1 second
s2s_dns_timeout: 3 seconds
s2s_dns_retries: 1
outgoing_s2s_timeout: 5 seconds
outgoing_s2s_families: [ipv4, ipv6]
negotiation_timeout: 30 seconds
auth_password_format: plain
auth_method: internal
listen:
  - {{ip: "{address}", port: {C2S_PORT}, module: ejabberd_c2s, starttls_required: true,
     max_stanza_size: 262144}}
  - {{ip: "{address}", port: {C2S_TLS_PORT}, module: ejabberd_c2s, tls: true,
     max_stanza_size: 262144}}
{s2s_listeners}
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
  mod_disco: {{}}
  mod_http_api: {{}}
  mod_offline: {{}}
  mod_ping: {{}}
  mod_roster: {{}}
{dialback}
  mod_stream_mgmt: {{}}
  mod_version: {{}}
"""

# The order matters: later lines would be undone by an earlier resolv_conf.
INETRC = """{{resolv_conf, ""}}.
{{hosts_file, ""}}.
{{nameserver, {{{octets}}}, {port}}}.
{{lookup, [dns]}}.
{{cache_size, 0}}.
"""


class Ejabberd(Server):
    kind = "ejabberd"
    ready_ports = (C2S_PORT, C2S_TLS_PORT, S2S_PORT, S2S_TLS_PORT)

    def configure(self):
        dns = self.lab.dns
        if dns.port != 53:
            raise LabError("ejabberd looks addresses up through libc, which knows port 53 only")
        listeners = "\n".join(
            f'  - {{ip: "{address}", port: {port}, module: ejabberd_s2s_in{tls}}}'
            for address in self.s2s_addresses
            for port, tls in ((S2S_PORT, ""), (S2S_TLS_PORT, ", tls: true")))
        files = [path for domain in self.domains
                 for path in (self.certificate(domain).chain, self.certificate(domain).key)]
        self.write("ejabberd.yml", CONFIG.format(
            hosts=", ".join(self.domains), trust=self.lab.authority.trust, address=self.address,
            certfiles="\n".join(f'  - "{path}"' for path in files), s2s_listeners=listeners,
            dialback="" if self.policy == "certificate" else "  mod_s2s_dialback: {}",
            C2S_PORT=C2S_PORT, C2S_TLS_PORT=C2S_TLS_PORT, API_PORT=API_PORT))
        self.write("inetrc", INETRC.format(octets=dns.address.replace(".", ","), port=dns.port))
        self.write("resolv.conf", f"nameserver {dns.address}\noptions timeout:1 attempts:1\n")

    def command(self):
        mnesia = f'"{self.directory}/db"'
        erl = ["erl", "-noinput", "+K", "true", "+S", "2:2", "+sbwt", "none",
               "-mnesia", "dir", mnesia, "-s", "ejabberd"]
        environment = {
            "ERL_LIBS": _erlang_libraries(), "ERL_INETRC": f"{self.directory}/inetrc",
            "EJABBERD_CONFIG_PATH": f"{self.directory}/ejabberd.yml",
            "EJABBERD_LOG_PATH": f"{self.directory}/debug.log",
            "ERL_CRASH_DUMP": f"{self.directory}/crash.dump", "HOME": self.directory}
        return mount_namespace_command(f"{self.directory}/resolv.conf", erl), environment

    async def ready(self):
        if not await super().ready():
            return False
        status, _ = await self._call("status", {})
        return status == 200

    async def add_user(self, user, domain=None):
        status, text = await self._call("register", {
            "user": user, "host": domain or self.domain, "password": password_of(user)})
        if status not in (200, 409):
            raise LabError(f"ejabberd does not register {user}: {status} {text}")

    async def _call(self, verb, arguments):
        request = urllib.request.Request(
            f"http://{self.address}:{API_PORT}/api/{verb}", json.dumps(arguments).encode(),
            {"Content-Type": "application/json"})

        def send():
            try:
                opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
                with opener.open(request, timeout=5) as answer:
                    return answer.status, answer.read().decode()
            except urllib.error.HTTPError as error:
                return error.code, error.read().decode()
            except OSError as error:
                return 0, str(error)
        return await asyncio.get_running_loop().run_in_executor(None, send)

    def tail(self, lines=30):
        from .process import tail
        return tail(f"{self.directory}/debug.log", lines)


def _erlang_libraries():
    """Where Debian keeps ejabberd's libraries, as its own control script says."""
    script = "/usr/sbin/ejabberdctl"
    if os.path.exists(script):
        with open(script, encoding="utf-8") as file:
            found = re.search(r"^ERL_LIBS='?([^'\n]+)", file.read(), re.MULTILINE)
        if found:
            return found.group(1)
    raise LabError("ejabberd is not installed")
