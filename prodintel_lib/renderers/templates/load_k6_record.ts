// What is left of a run: whether it held, in words and as run.json.
import type { Curve, Threshold } from "./model.ts";
import type { Settings } from "./settings.ts";

const MISSED_SHARE = 0.01;
const CUT_SHORT_SHARE = 0.05;
const MAX_CHANCE = 0.01;
const NEGLIGIBLE = 1e-18;

// What the plan is about, without the plan.
export type About = {
  settings: Settings;
  inputDigest: string;
  curve: Omit<Curve, "sessions">;
  planned: number;
  vus: number;
  longestS: number;
  judged: Judged[];
};
// A threshold, the endpoint it is of, how often the plan asks for it, and how many of these may be bad by chance.
export type Judged = Threshold & { label: string; tag: string; asked: number; allowed: number };

type Values = { [name: string]: number };
export type Summary = {
  metrics: { [name: string]: { values: Values; thresholds?: { [condition: string]: { ok: boolean } } } };
};
type Told = {
  endpoint: string;
  kind: string;
  percentile: number | null;
  limit: number;
  value: number | null;
  n: number;
  held: boolean | null;
};

// How many of n requests may be bad before chance is no explanation: of systems in which that share is bad, fewer than
// one in a hundred have more. A binomial's tail, from its terms on both sides of the largest.
export function allowedBad(n: number, share: number): number {
  if (share <= 0 || share >= 1) {
    return share <= 0 ? 0 : n;
  }
  const mode = Math.min(n, Math.floor((n + 1) * share));
  const odds = share / (1 - share);
  const above: number[] = [];
  for (let bad = mode, term = 1; bad <= n && term > NEGLIGIBLE; bad += 1) {
    above.push(term);
    term *= ((n - bad) / (bad + 1)) * odds;
  }
  let total = above.reduce((sum, term) => sum + term, 0);
  let tail = total;
  for (let bad = mode, term = 1; bad > 0 && term > NEGLIGIBLE; bad -= 1) {
    term *= bad / ((n - bad + 1) * odds);
    total += term;
  }
  let allowed = mode - 1;
  for (const term of above) {
    allowed += 1;
    tail -= term;
    if (tail < MAX_CHANCE * total) {
      break;
    }
  }
  return allowed;
}

export function shareOf({ kind, limit, percentile }: Threshold): number {
  return kind === "failures" ? limit : 1 - percentile! / 100;
}

export function metricOf({ kind, tag }: Judged): string {
  return `${kind === "latency" ? "load_latency_ms" : "load_failed"}{endpoint:${tag}}`;
}

// A condition in k6's words that fails where more than `allowed` of the planned requests are bad. Where all may be, it
// always holds: it is there for k6 to count that endpoint's requests apart.
export function conditionOf(one: Judged, settings: Settings): string {
  const { allowed, asked, kind, percentile } = one;
  if (allowed >= asked) {
    return kind === "latency" ? `p(${percentile})>=0` : "rate>=0";
  }
  if (kind === "failures") {
    return `rate<=${((allowed + 0.5) / asked).toFixed(9)}`;
  }
  // Rounded down, for a hair above would reach for the next larger latency.
  const reached = asked > 1 ? Math.floor((1e8 * (asked - 1 - allowed)) / (asked - 1)) / 1e6 : 100;
  return `p(${reached})<=${limitOf(one, settings).toFixed(9)}`;
}

function limitOf(one: Judged, settings: Settings): number {
  return one.kind === "latency" ? one.limit * settings.latencyFactor : one.limit;
}

// Conditions on the run itself: that it sent what was planned, when it was planned, and threw nothing.
export function runConditions(planned: number): { [metric: string]: string[] } {
  return {
    dropped_iterations: ["count==0"],
    load_errors: ["count==0"],
    load_requests: ["count>=1"],
    load_sessions_begun: ["count>=1"],
    load_sessions_cut_short: [`rate<=${CUT_SHORT_SHARE}`],
    load_sessions_over: [`count>=${planned}`],
    load_sessions_on_time: [`count>=${Math.ceil((1 - MISSED_SHARE) * planned - 1e-9)}`],
  };
}

export function outcome(data: Summary, about: About): { json: object; text: string } {
  const count = (metric: string, value = "count"): number => data.metrics[metric]?.values[value] ?? 0;
  const begun = count("load_sessions_begun");
  const late = begun - count("load_sessions_on_time");
  const cutShort = count("load_sessions_cut_short", "passes");
  const requests = count("load_requests");
  const thrown = count("load_errors");
  const thresholds = about.judged.map((one) => told(one, data, about.settings));
  const why = thresholds.filter((one) => one.held === false).map((one) => `broken: ${sentence(one)}`);
  if (thrown > 0) {
    why.push(`${thrown} errors were thrown in the load test itself: k6 has told each as it came`);
  }
  const stopped = about.planned - count("load_sessions_over");
  if (stopped > 0) {
    why.push(`the run was stopped early: ${stopped} of ${about.planned} planned sessions did not come to their end`);
  }
  const missed = about.planned - begun + late;
  if (missed > MISSED_SHARE * about.planned) {
    why.push(
      `arrivals were missed: ${missed} of ${about.planned} planned sessions never began or began more than 1 s late ` +
        `(there were ${about.vus} virtual users; raise MAX_VUS where that is its limit, or use a smaller SCALE)`,
    );
  }
  if (requests === 0) {
    why.push("nothing was sent");
  }
  if (cutShort > CUT_SHORT_SHARE * begun) {
    why.push(`${cutShort} of ${begun} sessions were cut short, for want of a value that no answer gave`);
  }
  const { settings } = about;
  const json = {
    schema: "prodintel/load-run/1",
    generator: "k6",
    input_digest: about.inputDigest,
    target: settings.target,
    seed: settings.seed,
    scale: settings.scale,
    compress: settings.compress,
    multiplier: settings.multiplier,
    start_s: settings.startS,
    length_s: settings.lengthS,
    bucket_s: about.curve.bucket_s,
    curve_start_us: about.curve.start_us,
    curve_end_us: about.curve.end_us,
    source: about.curve.source,
    planned_sessions: about.planned,
    begun_sessions: begun,
    late_sessions: late,
    delay_p99_s: begun > 0 ? count("load_start_delay_ms", "p(99)") / 1000 : null,
    cut_short: cutShort,
    requests,
    failed_requests: count("load_failed", "passes"),
    setup_requests: count("load_set_up_requests"),
    errors: thrown > 0 ? [{ what: "an error was thrown", where: "k6/load.ts", count: thrown }] : [],
    thresholds,
    failed: why.length > 0,
    why,
  };
  const answer = why.length > 0 ? `The load test failed: ${why.join("; ")}.` : "The load test held.";
  const sent = `${requests} requests in ${begun} of ${about.planned} planned sessions, ${late} of them late.`;
  const lines = [answer, sent, ...thresholds.map((one) => `  ${verdict(one)} ${sentence(one)}`)];
  return { json, text: lines.map((line) => `${plain(line)}\n`).join("") };
}

function told(one: Judged, data: Summary, settings: Settings): Told {
  const { values = {}, thresholds = {} } = data.metrics[metricOf(one)] ?? {};
  const latency = one.kind === "latency";
  const n = latency ? (values["count"] ?? 0) : (values["passes"] ?? 0) + (values["fails"] ?? 0);
  const value = n === 0 ? null : (values[latency ? `p(${one.percentile})` : "rate"] ?? null);
  const limit = limitOf(one, settings);
  const broken = thresholds[conditionOf(one, settings)]?.ok === false;
  const held = value === null ? null : value <= limit ? true : broken ? false : null;
  return { endpoint: one.label, kind: one.kind, percentile: one.percentile ?? null, limit, value, n, held };
}

function verdict({ held }: Told): string {
  return held === null ? "not judged, may be chance:" : held ? "held:" : "broken:";
}

function sentence({ endpoint, kind, percentile, limit, value, n }: Told): string {
  if (kind === "latency") {
    const seen = value === null ? "unknown" : `${value.toFixed(1)} ms`;
    return `${endpoint}: p${percentile} ${seen} of ${n}, limit ${limit.toFixed(1)} ms`;
  }
  const seen = value === null ? "unknown" : `${(100 * value).toFixed(2)} %`;
  return `${endpoint}: failures ${seen} of ${n}, limit ${(100 * limit).toFixed(2)} %`;
}

// Names come from production: nothing in them may move a terminal's cursor.
function plain(text: string): string {
  return text.replace(/[^ -~]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`);
}
