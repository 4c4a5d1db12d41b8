// Recorded requests, made fit to be sent again, and what is kept of their answers.
import type { Extract, Json, Origin, Variant } from "./model.ts";

const NOT_SENT = ["host", "content-length", "connection", "transfer-encoding"];
const ALPHABETS = { hex: "0123456789abcdef", digits: "123456789", text: "abcdefghijklmnopqrstuvwxyz" };

// Ids of more digits than a number holds exactly are read as texts, and written without quotes where a number stood.
const TEXT_OR_NUMBER = /"(?:[^"\\]|\\.)*"|-?[0-9]+(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?/g;
const LONG_NUMBER = /^-?[0-9]{16,}$/;
const BARE = "\u0000";
const BARE_NUMBER = /"\\u0000([0-9]+)"/g;

export type Values = Map<string, Json>;
export type Filled = { path: string; headers: Record<string, string>; body: string | null };
type Environment = { [name: string]: string | undefined };

// A recorded request that cannot be sent as it is.
export class Unfit extends Error {}

// The values the request needs that no earlier answer of the session gave.
export function missing(variant: Variant, values: Values): string[] {
  return variant.replacements.flatMap(({ value }) =>
    value.source === "extracted" && !values.has(value.name) ? [value.name] : [],
  );
}

export function fill(variant: Variant, values: Values, environment: Environment): Filled {
  const segments = variant.path.slice(1).split("/").map(asSegment);
  let query = variant.query;
  const headers: Record<string, string> = {};
  for (const [name, value] of variant.headers) {
    headers[name.toLowerCase()] = value;
  }
  let body: Json = variant.body === undefined ? null : (JSON.parse(JSON.stringify(variant.body)) as Json);
  if (body !== null) {
    headers["content-type"] = headers["content-type"] ?? "application/json";
  }
  for (const { into, at, value: origin } of variant.replacements) {
    const value = valueOf(origin, values, environment);
    if (into === "path") {
      segments[Number(at)] = strictly(asText(value));
    } else if (into === "query") {
      query = query.map(([name, old]) => [name, name === at ? asText(value) : old]);
    } else if (into === "header") {
      headers[at.toLowerCase()] = asText(value);
    } else {
      body = put(body, at, value);
    }
  }
  NOT_SENT.forEach((name) => delete headers[name]);
  const pairs = query.map(([name, value]) => `${asQuery(name)}=${asQuery(value)}`).join("&");
  const path = `/${segments.join("/")}${pairs ? `?${pairs}` : ""}`;
  return { path, headers, body: body === null ? null : asJson(body) };
}

export function keep(extracts: Extract[], text: string, values: Values): void {
  let document: Json;
  try {
    document = JSON.parse(text.replace(TEXT_OR_NUMBER, quoteLong)) as Json;
  } catch {
    return;
  }
  for (const { name, pointer } of extracts) {
    const found = atPointer(document, pointer);
    if (found !== undefined) {
      values.set(name, found);
    }
  }
}

function valueOf(origin: Origin, values: Values, environment: Environment): Json {
  if (origin.source === "extracted") {
    const value = values.get(origin.name);
    if (value === undefined) {
      throw new Unfit(`no earlier answer gave a value for ${origin.name}`);
    }
    return origin.prefix ? `${origin.prefix}${asText(value)}` : value;
  }
  if (origin.source === "masked") {
    return environment[`SECRET_${origin.name.toUpperCase()}`] || `placeholder-for-${origin.name}`;
  }
  if (origin.format === "uuid") {
    const hex = drawn(ALPHABETS.hex, 30);
    return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(12, 15)}-a${hex.slice(15, 18)}-${hex.slice(18)}`;
  }
  return drawn(ALPHABETS[origin.format], origin.length);
}

// Not from the seed: two runs must not send the same ids.
function drawn(alphabet: string, length: number): string {
  let text = "";
  while (text.length < length) {
    text += alphabet[Math.floor(Math.random() * alphabet.length)];
  }
  return text;
}

function asText(value: Json): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}

function keysOf(pointer: string): string[] {
  return pointer
    .split("/")
    .slice(1)
    .map((part) => part.replace(/~1/g, "/").replace(/~0/g, "~"));
}

function atPointer(document: Json, pointer: string): Json | undefined {
  let found = document;
  for (const key of keysOf(pointer)) {
    if (found === null || typeof found !== "object" || !Object.prototype.hasOwnProperty.call(found, key)) {
      return undefined;
    }
    found = (found as { [key: string]: Json })[key]!;
  }
  return found;
}

function put(document: Json, pointer: string, value: Json): Json {
  const last = keysOf(pointer).pop();
  if (last === undefined) {
    return value;
  }
  const parent = atPointer(document, pointer.slice(0, pointer.lastIndexOf("/")));
  if (parent === null || typeof parent !== "object" || (Array.isArray(parent) && !(last in parent))) {
    throw new Unfit(`the recorded body has no place ${JSON.stringify(pointer)}`);
  }
  const fields = parent as { [key: string]: Json };
  // A number stays a number where the new value can be one.
  const isNumber = typeof fields[last] === "number" && typeof value === "string" && /^[0-9]+$/.test(value);
  fields[last] = isNumber ? (Number.isSafeInteger(Number(value)) ? Number(value) : `${BARE}${value}`) : value;
  return document;
}

function asJson(body: Json): string {
  return JSON.stringify(body).replace(BARE_NUMBER, "$1");
}

function quoteLong(token: string): string {
  return LONG_NUMBER.test(token) ? `"${token}"` : token;
}

function strictly(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);
}

function asQuery(text: string): string {
  return strictly(text).replace(/%20/g, "+");
}

function asSegment(text: string): string {
  return encodeURIComponent(text).replace(/%(25|24|26|2B|2C|3B|3D|3A|40)/g, decodeURIComponent);
}
