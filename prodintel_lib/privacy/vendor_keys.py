"""Keys that say whose they are: the forms that cloud and software vendors give to their credentials."""

from __future__ import annotations

import re
from typing import Final

# Prefix that stays, and what follows it. Written without lookaround: the same patterns make the fast filter.
VENDOR_KEYS: Final = (
    (r"(?:AKIA|ASIA|ABIA|ACCA|AGPA|AIDA|AIPA|ANPA|AROA)", r"[A-Z2-7]{16}"),
    (r"AIza", r"[0-9A-Za-z_-]{35}"),
    (r"ya29\.", r"[0-9A-Za-z_-]{20,}"),
    (r"GOCSPX-", r"[0-9A-Za-z_-]{24,}"),
    (r"gh[pousr]_", r"[A-Za-z0-9]{20,255}"),
    (r"github_pat_", r"[A-Za-z0-9_]{20,255}"),
    (r"gl(?:pat|dt|rt|cbt|ptt|ft|soat|imt)-", r"[0-9A-Za-z_-]{20,}"),
    (r"xox[abeoprs]-", r"[0-9A-Za-z-]{10,}"),
    (r"xapp-", r"[0-9A-Za-z-]{16,}"),
    (r"hooks\.slack\.com/(?:services|workflows)/", r"[A-Z0-9]+/[A-Z0-9]+/[A-Za-z0-9]{16,}"),
    (r"(?:sk|rk|pk)_(?:live|test)_", r"[0-9A-Za-z]{10,}"),
    (r"whsec_", r"[0-9A-Za-z+/=]{24,}"),
    (r"SG\.", r"[0-9A-Za-z_-]{16,32}\.[0-9A-Za-z_-]{30,64}"),
    (r"(?:AC|SK)", r"[0-9a-f]{32}"),
    (r"npm_", r"[0-9A-Za-z]{36}"),
    (r"pypi-AgE", r"[0-9A-Za-z_-]{50,}"),
    (r"sk-(?:proj-|ant-|svcacct-|or-)?", r"[0-9A-Za-z_-]{32,}"),
    (r"hf_", r"[0-9A-Za-z]{30,}"),
    (r"do[opr]_v1_", r"[0-9a-f]{64}"),
    (r"shp(?:at|ca|pa|ss)_", r"[0-9A-Fa-f]{32}"),
    (r"dapi", r"[0-9a-f]{32}"),
    (r"dckr_pat_", r"[0-9A-Za-z_-]{20,}"),
    (r"hv[sbr]\.", r"[0-9A-Za-z_-]{24,}"),
    (r"dp\.(?:pt|st|ct|sa|scim|audit)\.", r"[0-9A-Za-z_.-]{40,}"),
    (r"NRAK-", r"[0-9A-Z]{27}"),
    (r"key-", r"[0-9a-f]{32}"),
    (r"sq0(?:atp|csp|idp)-", r"[0-9A-Za-z_-]{22,43}"),
    (r"lin_api_", r"[0-9A-Za-z]{32,}"),
    (r"ATATT3x", r"[0-9A-Za-z_=-]{60,}"),
    (r"EAA[A-Za-z]", r"[0-9A-Za-z]{60,}"),
    (r"AGE-SECRET-KEY-1", r"[0-9A-Z]{58}"),
    (r"glsa_", r"[0-9A-Za-z]{32}_[0-9a-f]{8}"),
    (r"phc_", r"[0-9A-Za-z]{40,}"),
    (r"sntry[su]_", r"[0-9A-Za-z+/=_-]{40,}"),
    (r"PMAK-", r"[0-9a-f]{24}-[0-9a-f]{34}"),
    (r"rubygems_", r"[0-9a-f]{48}"),
    (r"(?:tfp_|pul-|ops_)", r"[0-9A-Za-z_-]{40,}"),
)
VENDOR_KEY: Final = re.compile(
    r"(?<![0-9A-Za-z])(?:" + "|".join(f"(?:{head}){tail}" for head, tail in VENDOR_KEYS) + r")(?![0-9A-Za-z])"
)
VENDOR_PREFIX: Final = re.compile("|".join(f"(?:{head})" for head, _ in VENDOR_KEYS))
