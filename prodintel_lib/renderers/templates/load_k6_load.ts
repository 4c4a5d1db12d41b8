// Production's load, from ../load_model.json: k6 run -e BASE_URL=http://127.0.0.1:8080 load.ts (see ../README.md)
//
// What each session sends and when is planned first, once for all virtual users. A free one takes the next session and
// waits for its time: so sessions begin when they are planned to, whatever becomes of the others. There are as many
// virtual users as sessions would be under way at once if each answer took as long as a client waits. An arrival-rate
// executor would space arrivals evenly; people's are not.
import { SharedArray } from "k6/data";
import exec from "k6/execution";
import type { Options } from "k6/options";
import type { LoadModel, Variant } from "./model.ts";
import { type Session, firstPlaces, latestEndS, mostAtOnce, planned } from "./plan.ts";
import type { About, Judged, Summary } from "./record.ts";
import { allowedBad, conditionOf, metricOf, outcome, runConditions, shareOf } from "./record.ts";
import { type Endpoint, type Login, run } from "./session.ts";
import { readSettings } from "./settings.ts";

const GRACE_S = 60;

type Plan = { about: About; sessions: Session[]; endpoints: Endpoint[]; variants: Variant[]; login: Login | null };

// Made by the first who asks, kept in memory that all share: nobody else parses the model or plans.
let plan: Plan | undefined;
const made = (): Plan => {
  plan = plan ?? makePlan(JSON.parse(open("../load_model.json")) as LoadModel);
  return plan;
};
const sessions = new SharedArray<Session>("sessions", () => made().sessions);
const endpoints = new SharedArray<Endpoint>("endpoints", () => made().endpoints);
const variants = new SharedArray<Variant>("variants", () => made().variants);
const abouts = new SharedArray<[About, Login | null]>("about", () => [[made().about, made().login]]);
plan = undefined;
const [about, login] = abouts[0]!;
const out = __ENV["OUT"];
const shared = { settings: about.settings, endpoints, variants, login, recorded: Boolean(out) };

export const options: Options = {
  scenarios: {
    load: {
      executor: "shared-iterations",
      vus: about.vus,
      iterations: about.planned,
      maxDuration: `${Math.ceil(about.longestS) + GRACE_S}s`,
    },
  },
  thresholds: { ...runConditions(about.planned), ...conditions() },
  summaryTrendStats: [...new Set(["count", "med", "p(99)", "max", ...about.judged.flatMap(percentileNames)])],
  // Each session has connections of its own, as each customer has.
  noVUConnectionReuse: true,
  userAgent: "prodintel-load/k6",
};

export function setup(): void {
  if (out) {
    console.log("session,endpoint,t,status,elapsed_ms,setup");
  }
}

export default function session(): void {
  run(sessions[exec.scenario.iterationInTest]!, shared);
}

export function handleSummary(data: Summary): { [path: string]: string } {
  const { json, text } = outcome(data, about);
  if (!out) {
    return { stdout: text };
  }
  const rows = sessions.map(({ number, startS }) => `${number},${startS.toFixed(6)}`);
  return {
    stdout: text,
    [`${out}/run.json`]: `${JSON.stringify(json, null, 1)}\n`,
    [`${out}/planned.csv`]: ["session,t", ...rows, ""].join("\n"),
  };
}

function makePlan(model: LoadModel): Plan {
  const settings = readSettings(__ENV, model);
  const all = planned(model, settings);
  if (all.length === 0) {
    throw new Error("no session is planned: ask for more with -e SCALE=, for a longer stretch with -e LENGTH=.");
  }
  const { bucket_s, end_us, local_start_s, source, start_us } = model.curve;
  const patienceMs = model.endpoints.map((endpoint) => endpoint.patience_ms);
  const setupMs = model.login ? patienceMs[model.login.endpoint]! : 0;
  const endsS = all.map((one) => latestEndS(one, patienceMs, setupMs));
  const asked = model.endpoints.map(() => 0);
  all.forEach(({ steps }) => steps.forEach(([endpoint]) => (asked[endpoint]! += 1)));
  return {
    about: {
      settings,
      inputDigest: model.input_digest,
      curve: { bucket_s, end_us, local_start_s, source, start_us },
      planned: all.length,
      vus: Math.min(mostAtOnce(all, endsS), all.length, settings.maxVus),
      longestS: endsS.reduce((latest, endS) => Math.max(latest, endS), 0),
      judged: model.thresholds.map((threshold) => ({
        ...threshold,
        label: model.endpoints[threshold.endpoint]!.label,
        tag: tagOf(threshold.endpoint),
        asked: asked[threshold.endpoint]!,
        allowed: allowedBad(asked[threshold.endpoint]!, shareOf(threshold)),
      })),
    },
    sessions: all,
    endpoints: model.endpoints.map(({ label, method, extracts, statuses, patience_ms }, place) => ({
      ...{ label, method, extracts, statuses },
      ...{ patienceMs: patience_ms, tag: tagOf(place) },
    })),
    variants: model.endpoints.flatMap((endpoint) => endpoint.variants),
    login: loginOf(model),
  };
}

function loginOf(model: LoadModel): Login | null {
  if (!model.login) {
    return null;
  }
  const { endpoint, value } = model.login;
  const weights = model.endpoints[endpoint]!.variants.map((variant) => variant.n);
  return { endpoint, value, firstVariant: firstPlaces(model.endpoints)[endpoint]!, weights };
}

// A label may hold what the selector of a threshold is made of; a place may not.
function tagOf(place: number): string {
  return `e${place}`;
}

function conditions(): { [metric: string]: string[] } {
  const found: { [metric: string]: string[] } = {};
  for (const one of about.judged) {
    found[metricOf(one)] = [...(found[metricOf(one)] ?? []), conditionOf(one, about.settings)];
  }
  return found;
}

function percentileNames({ percentile }: Judged): string[] {
  return percentile === undefined ? [] : [`p(${percentile})`];
}
