"""The shop's front end: pages that people use in a browser, and the beacons that tell what they did there."""

from __future__ import annotations

from demo.storefront.builds import BUILDS, Build, BuildName
from demo.storefront.serving import running

__all__ = ["BUILDS", "Build", "BuildName", "running"]
