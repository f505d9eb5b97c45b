"""The builder that needs nothing: no daemon, no root, no emulation. A Dockerfile without RUN -> layers and a config.

Where the Dockerfile reference is silent, or engines differ, BuildKit's behaviour is followed (tried with Docker 20.10).
What departs from it, and why:

- Undefined variables are refused (dockerfile/variables.py), and so are build arguments that no ARG declares.
- BUILDPLATFORM and the like are those of the target (dockerfile/stages.py).
- `COPY ../x` is refused, where BuildKit takes `x`; so is a COPY that copies nothing at all.
- A name in --chown that the image does not know is refused, where BuildKit takes 0.
- setuid, setgid and sticky bits of --chmod are set; 20.10 drops them.
- Two names of one file in the context become two files: whether they are one depends on how the context was put
  together. Hard links of images and archives are kept.
- A layer holds the folders above its files as they are in the image, as Docker's do; every time in it is the epoch.
"""

from rearch.oci.embedded.build import build_embedded

__all__ = ["build_embedded"]
