"""Prosody, as Debian packages it, from a scratch directory."""

import os

from .server import C2S_PORT, C2S_TLS_PORT, S2S_PORT, S2S_TLS_PORT, Server, password_of

CONFIG = """
run_as_root = true
pidfile = "{directory}/prosody.pid"
data_path = "{directory}/data"
plugin_paths = {{}}
log = {{ debug = "{directory}/debug.log" }}
interfaces = {{ "{address}" }}
c2s_ports = {{ {C2S_PORT} }}
c2s_direct_tls_ports = {{ {C2S_TLS_PORT} }}
s2s_interfaces = {{ {s2s_addresses} }}
s2s_direct_tls_interfaces = {{ {s2s_addresses} }}
s2s_ports = {{ {S2S_PORT} }}
s2s_direct_tls_ports = {{ {S2S_TLS_PORT} }}
http_ports = {{}}
https_ports = {{}}
modules_enabled = {{ "roster", "saslauth", "tls", "dialback", "disco", "ping", "version", "smacks",
  "blocklist", "pep"{further} }}
modules_disabled = {{ {disabled} }}
allow_registration = false
authentication = "internal_plain"
storage = "internal"
c2s_require_encryption = true
s2s_require_encryption = true
s2s_secure_auth = {secure}
s2s_timeout = 10
certificates = "{directory}/certificates"
ssl = {{ cafile = "{trust}"; capath = "{directory}/no-authorities" }}
{options}unbound = {{ resolvconf = false; hoststxt = false; forward = {{ "{dns}" }};
  options = {{ ["local-zone:"] = "test. transparent"; ["do-not-query-localhost:"] = "no";
    ["cache-max-ttl:"] = "1"; ["cache-max-negative-ttl:"] = "1"; ["infra-host-ttl:"] = "1" }} }}
"""


class Prosody(Server):
    kind = "prosody"
    ready_ports = (C2S_PORT, C2S_TLS_PORT, S2S_PORT, S2S_TLS_PORT)
    further_modules = ()
    # Lines of the configuration, for all domains.
    further_options = ""

    def configure(self):
        certificates_only = self.policy == "certificate"
        dns = self.lab.dns
        text = CONFIG.format(
            directory=self.directory, address=self.address, trust=self.lab.authority.trust,
            s2s_addresses=", ".join(f'"{address}"' for address in self.s2s_addresses),
            further="".join(f', "{module}"' for module in self.further_modules),
            disabled='"dialback"' if certificates_only else "",
            options=self.further_options, secure="true" if certificates_only else "false",
            dns=f"{dns.address}@{dns.port}", C2S_PORT=C2S_PORT, C2S_TLS_PORT=C2S_TLS_PORT,
            S2S_PORT=S2S_PORT, S2S_TLS_PORT=S2S_TLS_PORT)
        for name in ("data", "no-authorities"):
            os.makedirs(f"{self.directory}/{name}", exist_ok=True)
        for domain in self.domains:
            certificate = self.certificate(domain)
            directory = f"{self.directory}/certificates/{domain}"
            os.makedirs(directory)
            os.symlink(certificate.chain, f"{directory}/fullchain.pem")
            os.symlink(certificate.key, f"{directory}/privkey.pem")
            text += f'VirtualHost "{domain}"\n'
        self.write("prosody.cfg.lua", text)

    def command(self):
        return ["prosody", "-F", "--config", f"{self.directory}/prosody.cfg.lua"], {}

    async def add_user(self, user, domain=None):
        # The store is read at each login, so that no tool is needed.
        host = (domain or self.domain).replace(".", "%2e").replace("-", "%2d")
        name = "".join(c if c.isalnum() else f"%{ord(c):02x}" for c in user)
        self.write(f"data/{host}/accounts/{name}.dat",
                   f'return {{ ["password"] = "{password_of(user)}" }};\n')

    def tail(self, lines=30):
        from .process import tail
        return tail(f"{self.directory}/debug.log", lines)
