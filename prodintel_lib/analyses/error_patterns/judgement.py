"""What an error pattern is, what kind of work it asks for, and how soon: each with its reason.

The words looked for are those in which systems everywhere speak of such errors; no rule knows a system.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from prodintel_lib.analyses.statistics import Proportion

if TYPE_CHECKING:
    from prodintel_lib.analyses.error_patterns.trend import Trend

ErrorClass = Literal["bug", "user mistake", "expected", "unclear"]
Category = Literal[
    "code", "performance", "security", "integration", "configuration", "business logic", "infrastructure"
]
Priority = Literal["P1", "P2", "P3", "P4"]

ONCE_PER_CLIENT: Final = 1.5
"""Up to so many errors a client, people were told once and mended it."""

MOST: Final = 0.5
MIN_SEEN: Final = 5
"""From so many on, a share says something."""

MANY_SHARE: Final = 0.01
"""The share of a service's traffic from which on an error that users meet is urgent."""

SCANNED_PATHS: Final = 5
_SERVER_ERROR: Final = 500
_CLIENT_ERROR: Final = 400
_SLOW_DOWN: Final = (408, 425, 429)
_PASSED_ON: Final = (502, 504)
_UNAVAILABLE: Final = 503
_REFUSED: Final = (401, 403, 407)
_GROWING: Final = ("new", "rising")

_SECURITY: Final = (
    r"\b(?:log ?in|sign ?in|authenticat\w*|password|credentials?)\b.{0,40}\b(?:fail\w*|invalid|denied|reject\w*|wrong)",
    r"\b(?:fail\w*|invalid|wrong|bad)\b.{0,40}\b(?:log ?in|password|credentials?|authenticat\w*|signature|csrf)\b",
    r"\b(?:jwt|token|signature)\b.{0,40}\b(?:invalid|expired|fail\w*|reject\w*)",
    r"\bunauthori[sz]ed\b|\bforbidden\b|\baccess (?:is )?denied\b|\bbrute.?force\b|\binjection\b|\btraversal\b",
)
_PERFORMANCE: Final = (
    r"\b\w*pool\b.{0,60}\b(?:limit|exhaust\w*|full|size|timed? ?out)|\bexhausted\b|out ?of ?memory|\boom\b|heap space",
    r"\bgc (?:overhead|pause)|\bmemory limit|\bstatement timeout|\bquery exceeded|\bexceeded deadline",
    r"\btoo many (?:requests|connections|clients|open)",
    r"\brate.?limit|\bqueue (?:is )?full|\bthrottl",
    r"\bdeadlock|\block wait|\boverload|\bslow (?:query|request)|\bdeadline exceeded|\bcapacity\b",
)
_CONFIGURATION: Final = (
    r"\bnot configured\b|\bmisconfigur|\bno module named\b|\bcannot find module\b|class ?not ?found|\bno such file",
    r"\b(?:missing|unknown|invalid|undefined|unset)\b.{0,30}\b(?:config\w*|settings?|option|environment|env|api key)\b",
    r"\bcertificate\b.{0,30}\b(?:expired|invalid|verif\w*)|\bpermission denied\b",
)
_INFRASTRUCTURE: Final = (
    r"\bno space left|\bdisk (?:is )?(?:full|quota|error)|\bi/o error|input/output error|read-only file system",
    r"\bsegmentation fault|\bkernel\b|\bnode (?:is )?(?:down|not ?ready)|\bhost is down|\bevicted\b",
)
_INTEGRATION: Final = (
    r"\btimed? ?out\b|\btimeout|\bconnection (?:was )?(?:refused|reset|closed|aborted)|\bconnect(?:ion)?error\b",
    r"\bunreachable\b|cannot be reached|\bunavailable\b|\bupstream\b|\bbad gateway\b|\bbroken pipe|\bgetaddrinfo",
    r"\bname or service not known|\becon\w+|\bfailed to fetch|\bnetwork ?error|\bdid not answer",
    r"\bcall of \S+ (?:answered|failed)|\b(?:GET|POST|PUT|PATCH|DELETE) \S+ (?:returned|timed out)\b",
)
_BUSINESS: Final = (
    r"integrity|invariant|inconsisten|mismatch|\bviolat|duplicate|already (?:exists?|paid|used)|\binsufficient",
    r"\bnot allowed\b|ownership|\bconflict\b|\bout of stock|\bvalidation\b",
)
# What runtimes print when code fails and nobody catches it.
_CODE_FAILED: Final = re.compile(
    r"\bpanic\b|\btraceback\b|\buncaught\b|\bunhandled\b|\bn(?:il|ull) pointer|\bassertion failed|\bfatal error\b"
    r"|\b[A-Z]\w+(?:Error|Exception)\b"
)
# In the order they are asked. The words are those of RFC 9110, of POSIX and of runtimes everywhere for such errors.
_WORDS: Final[dict[Category, re.Pattern[str]]] = {
    "security": re.compile("|".join(_SECURITY), re.IGNORECASE),
    "performance": re.compile("|".join(_PERFORMANCE), re.IGNORECASE),
    "configuration": re.compile("|".join(_CONFIGURATION), re.IGNORECASE),
    "infrastructure": re.compile("|".join(_INFRASTRUCTURE), re.IGNORECASE),
    "integration": re.compile("|".join(_INTEGRATION), re.IGNORECASE),
    "business logic": re.compile("|".join(_BUSINESS), re.IGNORECASE),
}


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a pattern when it is judged.

    Attributes
    ----------
    origin, level, error_type, template, top_frame, error_source : str
    http_status : int
        0 where none is known.
    occurrences, bot_rows, traced, first_in_trace : int
        See counts.ErrorCounts.
    clients, people : int
        Distinct clients, and those that are no bots; 0 where no error names one.
    routes : int
        Distinct routes or paths it was met on.
    traffic : int
        What its service was asked in the window; 0 where that is not known.
    reached, mended : Proportion
        Requests of a sample in which it occurred that failed for whoever asked; and of clients that met it, those whose
        next request of the same kind went well.
    place : str
        Where it keeps to, in words; empty where it is met in proportion to traffic.
    trend : Trend
    """

    origin: str
    level: str
    error_type: str
    template: str
    top_frame: str
    error_source: str
    http_status: int
    occurrences: int
    bot_rows: int
    traced: int
    first_in_trace: int
    clients: int
    people: int
    routes: int
    traffic: int
    reached: Proportion
    mended: Proportion
    place: str
    trend: Trend

    @property
    def is_refusal(self) -> bool:
        """Whether the request was answered 400 to 499: the service says that it was the asker's doing."""
        return _CLIENT_ERROR <= self.http_status < _SERVER_ERROR

    @property
    def per_client(self) -> float:
        """Errors a client that is no bot; infinite where none is known."""
        return (self.occurrences - self.bot_rows) / self.people if self.people else float("inf")

    @property
    def is_symptom(self) -> bool:
        """Whether something else failed before it in most of its traces; in all of them where these are few."""
        if self.traced < MIN_SEEN:
            return self.traced > 0 and not self.first_in_trace
        return self.first_in_trace < MOST * self.traced

    @property
    def reaches_users(self) -> bool:
        """Whether whoever asked got the failure, as far as is known."""
        if self.origin in {"browser", "request"}:
            return True
        return self.reached.n > 0 and self.reached.share >= MOST

    @property
    def who(self) -> str:
        """By how many it was met, bots apart."""
        if not self.clients:
            return "by whom is not recorded"
        bots = self.clients - self.people
        people = f"{self.people:,} client{'' if self.people == 1 else 's'}"
        return f"met by {people}" + (f" and {bots:,} bot{'' if bots == 1 else 's'}" if bots > 0 else "")


def classify(facts: Facts) -> tuple[ErrorClass, str]:
    """Say whether a pattern is a defect, a user's mistake, what a service is expected to answer, or unclear; and why.

    A user's mistake is met by everybody alike and about once a client: whoever is told mends it. What keeps to one
    release or browser is not the users' doing, whatever it is called. What only machines meet is no outage. What
    follows another failure in its traces is that failure's symptom.
    """
    if facts.bot_rows == facts.occurrences:
        return "expected", f"{facts.who}: machines alone"
    if facts.error_source == "validation":
        return _of_form(facts)
    if facts.is_refusal and facts.http_status not in _SLOW_DOWN:
        return _of_refusal(facts)
    if facts.is_symptom:
        others = facts.traced - facts.first_in_trace
        return (
            "unclear",
            f"follows another error in {others:,} of its {facts.traced:,} occurrences in traces: a symptom",
        )
    if facts.clients and facts.people == 1 and facts.occurrences >= MIN_SEEN:
        return "unclear", f"all {facts.occurrences:,} were met by one client: no outage for others is shown"
    return _of_code(facts)


def _of_form(facts: Facts) -> tuple[ErrorClass, str]:
    if facts.place:
        return "bug", f"form validation, but it keeps to {facts.place}"
    once = f"{facts.per_client:.1f} errors a client"
    if facts.people >= MIN_SEEN and facts.per_client <= ONCE_PER_CLIENT:
        return "user mistake", f"form validation, {once}, in proportion to traffic"
    if facts.people < MIN_SEEN:
        return "unclear", f"form validation, {facts.who}: too few to say whether it is theirs"
    return "unclear", f"form validation, but {once}: the same people are refused again and again"


def _of_refusal(facts: Facts) -> tuple[ErrorClass, str]:
    answered = f"answered {facts.http_status}, {facts.who}"
    if facts.place:
        return "unclear", f"{answered}; a refusal, but it keeps to {facts.place}"
    if facts.people == 1 and facts.routes >= SCANNED_PATHS:
        return "expected", f"{answered}, on {facts.routes:,} routes: a scan or a broken program, not users"
    if facts.mended.n >= MIN_SEEN and facts.mended.share >= MOST:
        return "user mistake", f"{answered}; the next try went well in {facts.mended.hits:,} of {facts.mended.n:,}"
    if facts.people >= MIN_SEEN and facts.per_client <= ONCE_PER_CLIENT:
        return "user mistake", f"{answered}, {facts.per_client:.1f} a client"
    if facts.trend in _GROWING:
        return "unclear", f"{answered}; a refusal, but its rate grew against the traffic"
    return "expected", f"{answered}: the service refused what it was asked"


def _of_code(facts: Facts) -> tuple[ErrorClass, str]:
    is_error = facts.level == "error"
    evidence: tuple[tuple[bool, str], ...] = (
        (bool(facts.top_frame), f"{facts.error_type or 'an exception'} thrown in {facts.top_frame}"),
        (
            facts.http_status >= _SERVER_ERROR and facts.origin in {"request", "span"},
            f"answered {facts.http_status}, {facts.who}",
        ),
        (is_error and bool(facts.error_type), f"an uncaught or logged {facts.error_type}"),
        (is_error and bool(_CODE_FAILED.search(facts.template)), "logged as an error, in words of code that failed"),
        (
            is_error and facts.reached.n > 0 and facts.reaches_users,
            f"the request failed for whoever asked in {facts.reached.hits:,} of {facts.reached.n:,}",
        ),
        (is_error and facts.trend in _GROWING, f"logged as an error, and {facts.trend} by the traffic of its service"),
        (is_error and bool(facts.place), "logged as an error, and not met everywhere alike"),
    )
    found = next((words for holds, words in evidence if holds), None)
    if found is not None:
        return "bug", found + (f"; keeps to {facts.place}" if facts.place else "")
    said = "logged as an error, without an exception" if is_error else "logged as a warning"
    return "unclear", f"{said}; that a user met it is not shown"


def categorise(facts: Facts) -> tuple[Category, str]:
    """Say what kind of work a pattern asks for, and what says so: its status, then its words, then where it was."""
    if by_status := _category_of_status(facts):
        return by_status
    text = f"{facts.error_type} {facts.template}"
    for category, words in _WORDS.items():
        if found := words.search(text):
            return category, f"it says “{' '.join(found[0].split())[:60]}”"
    if facts.error_source == "validation":
        return "business logic", "a form did not take what was typed"
    if facts.is_refusal:
        return "business logic", f"answered {facts.http_status}"
    if facts.http_status == _UNAVAILABLE:
        return "performance", f"answered {_UNAVAILABLE}: it could not serve at that moment"
    return "code", f"thrown in {facts.top_frame}" if facts.top_frame else "no words of another kind of failure"


def _category_of_status(facts: Facts) -> tuple[Category, str] | None:
    if facts.http_status in _REFUSED:
        return "security", f"answered {facts.http_status}: who asked was not let in"
    if facts.is_refusal and facts.people == 1 and facts.routes >= SCANNED_PATHS:
        return "security", f"one client tried {facts.routes:,} routes"
    if facts.http_status in _PASSED_ON:
        return "integration", f"answered {facts.http_status}: it passes on that another did not answer well"
    if facts.http_status in _SLOW_DOWN:
        return "performance", f"answered {facts.http_status}: more was asked than is let through"
    return None


def prioritise(kind: ErrorClass, facts: Facts) -> tuple[Priority, str]:
    """Say how soon a pattern should be looked at, and why."""
    several = (facts.people > 1 or not facts.clients) and facts.occurrences >= MIN_SEEN
    share = Proportion.of(min(facts.occurrences, facts.traffic), facts.traffic)
    of_traffic = f"{100 * share.share:.1f} % of its service's traffic" if facts.traffic else "traffic not known"
    met = f"{facts.occurrences:,} in the window, {facts.who}, {of_traffic}"
    if not facts.occurrences:
        return "P4", "not met in the window"
    if kind in {"expected", "user mistake"}:
        return "P4", f"{kind}; {met}"
    if kind == "bug" and several and facts.reaches_users and facts.traffic and share.low >= MANY_SHARE:
        return "P1", f"users meet it; {met}"
    if kind == "bug" and several and (facts.reaches_users or facts.trend in _GROWING):
        why = "users meet it" if facts.reaches_users else f"a defect, {facts.trend}"
        return "P2", f"{why}; {met}"
    if kind == "bug" or facts.trend in _GROWING:
        return "P3", f"{'a defect' if kind == 'bug' else facts.trend}; {met}"
    return "P4", met
