// What a run was asked for: -e NAME=value, the model's defaults where nothing is said.
import type { LoadModel } from "./model.ts";

const DEFAULT_URL = "http://127.0.0.1:8080";
const READS = ["GET", "HEAD", "OPTIONS"];
const UNIT_S: Record<string, number> = { s: 1, m: 60, h: 3600, d: 86400 };
const DAY_S = 86400;
const OCTET = "(?:25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])";
const MAX_VUS = 10000;

export type Settings = {
  target: string;
  scale: number;
  compress: number;
  multiplier: number;
  startS: number;
  lengthS: number;
  seed: number;
  latencyFactor: number;
  maxVus: number;
};
type Environment = { [name: string]: string | undefined };

export function readSettings(environment: Environment, model: LoadModel): Settings {
  const { defaults } = model;
  const positive = (name: string, otherwise: number): number => {
    const given = environment[name];
    const value = given ? Number(given) : otherwise;
    if (!(Number.isFinite(value) && value > 0)) {
      throw new Error(`${name} is a positive number, for instance 2; got ${JSON.stringify(given)}.`);
    }
    return value;
  };
  const seed = Number(environment["SEED"] || defaults.seed);
  if (!(Number.isSafeInteger(seed) && seed >= 0)) {
    throw new Error(`SEED is a whole number from 0; got ${JSON.stringify(environment["SEED"])}.`);
  }
  return {
    target: checkTarget(environment, model),
    scale: positive("SCALE", defaults.scale),
    compress: environment["COMPRESS"] ? compression(environment["COMPRESS"]) : defaults.compress,
    multiplier: environment["EVENT"] ? multiplier(environment["EVENT"], model) : defaults.multiplier,
    startS: environment["START"] ? startAt(environment["START"], model) : defaults.start_s,
    lengthS: environment["LENGTH"] ? seconds("LENGTH", environment["LENGTH"]) : defaults.length_s,
    seed,
    latencyFactor: positive("LATENCY_FACTOR", 1),
    maxVus: Math.ceil(positive("MAX_VUS", MAX_VUS)),
  };
}

function seconds(name: string, text: string): number {
  const found = /^([0-9]+(?:\.[0-9]+)?)(s|m|h|d)?$/.exec(text);
  const value = found ? Number(found[1]) * UNIT_S[found[2] ?? "s"]! : 0;
  if (!(value > 0)) {
    throw new Error(`${name} is a time such as 24h, 90m or 600s; got ${JSON.stringify(text)}.`);
  }
  return value;
}

function compression(text: string): number {
  const [long, short, more] = text.split("=");
  const value =
    short === undefined ? Number(text) : more ? 0 : seconds("COMPRESS", long!) / seconds("COMPRESS", short);
  if (!(Number.isFinite(value) && value > 0)) {
    throw new Error(`COMPRESS is how many times faster, such as 144 or 24h=10m; got ${JSON.stringify(text)}.`);
  }
  return value;
}

function multiplier(text: string, { events }: LoadModel): number {
  const value = events.find((event) => event.name === text)?.ratio ?? Number(text);
  if (!(Number.isFinite(value) && value > 0)) {
    const known = events.map((event) => event.name).join(", ") || "none is known";
    throw new Error(`EVENT is one of the model's events (${known}) or a factor; got ${JSON.stringify(text)}.`);
  }
  return value;
}

// Seconds into the curve at which the business's clock shows that time first.
function startAt(text: string, { curve }: LoadModel): number {
  const found = /^([01]?[0-9]|2[0-3]):([0-5][0-9])$/.exec(text);
  if (!found) {
    throw new Error(`START is a time of day, such as 18:30; got ${JSON.stringify(text)}.`);
  }
  const wanted = Number(found[1]) * 3600 + Number(found[2]) * 60;
  const startS = (((wanted - curve.local_start_s) % DAY_S) + DAY_S) % DAY_S;
  if (startS >= curve.bucket_s * curve.sessions.length) {
    throw new Error(`START is within the model's curve, which does not reach ${text}.`);
  }
  return startS;
}

function checkTarget(environment: Environment, { endpoints }: LoadModel): string {
  const url = environment["BASE_URL"] || DEFAULT_URL;
  const host = "(\\[[0-9A-Fa-f:.]+\\]|[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?)";
  const found = new RegExp(`^https?://${host}(:[0-9]+)?(/[!-~]*)?$`).exec(url);
  if (!found || /[\\?#]/.test(url)) {
    throw new Error(`A target is http(s)://host[:port][/path] and nothing else; got ${JSON.stringify(url)}.`);
  }
  const loopback = new RegExp(`^(localhost|127(\\.${OCTET}){3}|\\[::1\\])$`).test(found[1]!);
  const address = new RegExp(`^${OCTET}(\\.${OCTET}){3}$`).test(found[1]!);
  // What ends in a number but is no address may still be read as one (127.1, 2130706433, 0x7f000001).
  if (!address && /^(.*\.)?([0-9]+|0[xX][0-9A-Fa-f]*)$/.test(found[1]!)) {
    throw new Error(`A target names its host or its whole address; got ${JSON.stringify(url)}.`);
  }
  if (!loopback && environment["ALLOW_HOST"] !== found[1]) {
    throw new Error(`${url} is beyond loopback: name its host again, with -e ALLOW_HOST=${found[1]}.`);
  }
  if (!loopback && environment["ALLOW_WRITES"] !== "1" && endpoints.some(({ method }) => !READS.includes(method))) {
    throw new Error(`${url} is beyond loopback and this load test writes: add -e ALLOW_WRITES=1.`);
  }
  return url.replace(/\/+$/, "");
}
