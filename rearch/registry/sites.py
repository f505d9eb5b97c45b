"""Where a registry is, and what is trusted there."""

from __future__ import annotations

import contextlib
import ipaddress
import ssl
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from urllib.parse import urlsplit

from msgspec import Struct

from rearch.errors import UsageError
from rearch.model.frozen import NOTHING
from rearch.model.reference import HUB
from rearch.model.settings import RegistrySettings

CERTIFICATES = Path("/etc/docker/certs.d")
# docker.io is a name; its registry is elsewhere (github.com/moby/moby, registry/config.go: DefaultV2Registry).
_HUB_HOST = "registry-1.docker.io"


class BadCertificates(UsageError):
    """Something in certs.d that cannot be used."""

    def __init__(self, path: Path, why: str) -> None:
        self.path = path
        self.why = why
        super().__init__(
            f"{path}: {why}", hint="it holds ca.crt, and client.cert with client.key, in PEM form (docker's certs.d)"
        )


class Site(Struct, frozen=True, kw_only=True):
    """One host (with its port). `plain`: HTTP; `insecure`: any certificate will do.

    `authorities` are files with CA certificates, trusted beside the system's; `clients` pairs of certificate and key.
    `direct`: it is this machine, which no proxy can reach for us.
    """

    host: str
    plain: bool = False
    insecure: bool = False
    direct: bool = False
    authorities: tuple[Path, ...] = ()
    clients: tuple[tuple[Path, Path], ...] = ()

    @property
    def url(self) -> str:
        """The beginning of its URLs, without a slash at the end."""
        return f"{'http' if self.plain else 'https'}://{self.host}"

    def context(self) -> ssl.SSLContext:
        """What TLS connections are checked with: the system's CAs (SSL_CERT_FILE, SSL_CERT_DIR) and its own.

        Errors: BadCertificates.
        """
        context = ssl.create_default_context()
        if self.insecure:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        for path in self.authorities:
            with _explained(path):
                context.load_verify_locations(path)
        for certificate, key in self.clients:
            with _explained(certificate):
                # An encrypted key must not make OpenSSL ask at the terminal.
                context.load_cert_chain(certificate, key, password=lambda: "")
        return context


class Sites:
    """The settings of all hosts. `certificates` is Docker's certs.d: `<host:port>/{*.crt,*.cert,*.key}`."""

    def __init__(
        self, settings: Mapping[str, RegistrySettings] = NOTHING, certificates: Path | None = CERTIFICATES
    ) -> None:
        self._settings = settings
        self._certificates = certificates

    def of_registry(self, registry: str) -> Site:
        """The site of a reference's registry. Errors: BadCertificates."""
        if registry == HUB:
            return self._site(_HUB_HOST, HUB)
        return self._site(registry, registry)

    def of_url(self, url: str) -> Site:
        """What is known of the host of a URL that a registry gave us."""
        host = urlsplit(url).netloc.rpartition("@")[2].lower()
        return self._site(host, HUB if host == _HUB_HOST else host)

    def _site(self, host: str, name: str) -> Site:
        settings = self._settings.get(name) or self._settings.get(host) or RegistrySettings()
        folder = self._folder(host, name)
        here = is_this_machine(host)
        plain = settings.plain_http if settings.plain_http is not None else here and folder is None
        return Site(
            host=host,
            plain=plain,
            insecure=settings.insecure,
            direct=here,
            authorities=() if folder is None else tuple(sorted(folder.glob("*.crt"))),
            clients=() if folder is None else tuple(_clients(folder)),
        )

    def _folder(self, host: str, name: str) -> Path | None:
        if self._certificates is None:
            return None
        folders = (self._certificates / each for each in (name, host))
        return next((folder for folder in folders if folder.is_dir()), None)


def _clients(folder: Path) -> Iterable[tuple[Path, Path]]:
    """Docker's rule: a client's X.cert goes with X.key, and neither comes alone."""
    for certificate in sorted(folder.glob("*.cert")):
        key = certificate.with_suffix(".key")
        if not key.is_file():
            raise BadCertificates(certificate, f"there is no {key.name} beside it")
        yield certificate, key


@contextlib.contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError) as error:
        raise BadCertificates(path, f"it cannot be used ({error})") from None


def is_this_machine(host: str) -> bool:
    """Whether `host` (with or without port) is localhost, 127.x.x.x or [::1]."""
    try:
        name = urlsplit(f"//{host}").hostname or ""
        return name == "localhost" or ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False
