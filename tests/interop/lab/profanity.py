"""profanity, a terminal client, used as a person does: keys in, screen out."""

import os

from .server import password_of
from .terminal import Terminal


class Profanity(Terminal):
    """One profanity, on a screen and with settings of its own."""

    async def open(self):
        settings = f"{self.directory}/config/profanity"
        os.makedirs(settings)
        with open(f"{settings}/profrc", "w", encoding="utf-8") as file:
            file.write("[connection]\nreconnect=1\n")
        await self.start(["profanity"], {
            "HOME": self.directory, "XDG_CONFIG_HOME": f"{self.directory}/config",
            "XDG_DATA_HOME": f"{self.directory}/data", "LANG": "C.UTF-8",
            "SSL_CERT_FILE": self.lab.authority.trust})
        await self.see("/connect")

    async def log_in(self, address, options=""):
        """`options`: further words of /connect."""
        await self.type(f"/connect {address}{options}")
        await self.see("Enter password")
        await self.type(password_of(address.split("@")[0]))
        await self.see("logged in successfully")
