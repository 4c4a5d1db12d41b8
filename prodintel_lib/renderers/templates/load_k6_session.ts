// A session that is sent: its steps at their times, each answer judged and what it gave kept.
import { sleep } from "k6";
import exec from "k6/execution";
import http from "k6/http";
import { Counter, Rate, Trend } from "k6/metrics";
import { SETUP, Stream } from "./draw.ts";
import type { Extract, Variant } from "./model.ts";
import { NO_VARIANT, type Session } from "./plan.ts";
import { Unfit, type Values, fill, keep, missing } from "./requests.ts";
import type { Settings } from "./settings.ts";

const LATE_S = 1;
const TIMED_OUT = 1050; // k6's error code of a request timeout

// What every session reads, shared by all of them.
export type Shared = {
  settings: Settings;
  endpoints: Endpoint[];
  variants: Variant[];
  login: Login | null;
  recorded: boolean;
};
export type Endpoint = {
  label: string;
  method: string;
  extracts: Extract[];
  statuses: number[];
  patienceMs: number;
  tag: string;
};
export type Login = { endpoint: number; value: string; firstVariant: number; weights: number[] };

export const counts = {
  begun: new Counter("load_sessions_begun"),
  onTime: new Counter("load_sessions_on_time"),
  startDelayMs: new Trend("load_start_delay_ms"),
  over: new Counter("load_sessions_over"),
  cutShort: new Rate("load_sessions_cut_short"),
  requests: new Counter("load_requests"),
  setUp: new Counter("load_set_up_requests"),
  errors: new Counter("load_errors"),
  failed: new Rate("load_failed"),
  latencyMs: new Trend("load_latency_ms"),
};

type Customer = {
  shared: Shared;
  session: Session;
  jar: InstanceType<typeof http.CookieJar>;
  values: Values;
  setup: Stream;
  begun: boolean;
};

export function run(session: Session, shared: Shared): void {
  const setup = new Stream(SETUP, shared.settings.seed, session.number);
  const customer: Customer = { shared, session, jar: new http.CookieJar(), values: new Map(), setup, begun: false };
  try {
    sendAll(customer);
    counts.cutShort.add(false);
  } catch (error) {
    if (!(error instanceof Unfit)) {
      // k6 tells what was thrown, goes on and would end with 0; the threshold of this counter makes the run fail.
      counts.errors.add(1);
      counts.over.add(1);
      throw error;
    }
    begin(customer);
    counts.cutShort.add(true);
  }
  counts.over.add(1);
}

// Each step is sent its gap after the start of the one before, or at once after an answer that took longer.
function sendAll(customer: Customer): void {
  let dueMs = exec.scenario.startTime + customer.session.startS * 1000;
  for (const [endpoint, gapS, variant] of customer.session.steps) {
    dueMs += gapS * 1000;
    const leftMs = dueMs - Date.now();
    if (leftMs > 0) {
      sleep(leftMs / 1000);
    }
    if (variant === NO_VARIANT) {
      throw new Unfit("nothing that was recorded can be sent");
    }
    prepare(customer, variant);
    dueMs = ask(customer, endpoint, variant, false);
  }
}

// Send a request and return when it was sent, after the answer.
function ask(customer: Customer, place: number, variant: number, setup: boolean): number {
  const { shared, values } = customer;
  const filled = fill(shared.variants[variant]!, values, __ENV);
  const endpoint = shared.endpoints[place]!;
  begin(customer);
  const sentMs = Date.now();
  const response = http.request(endpoint.method, shared.settings.target + filled.path, filled.body, {
    headers: filled.headers,
    jar: customer.jar,
    redirects: 0,
    responseType: endpoint.extracts.length > 0 ? "text" : "none",
    responseCallback: http.expectedStatuses(...endpoint.statuses),
    timeout: endpoint.patienceMs,
    tags: { name: setup ? "set-up" : endpoint.label },
  });
  const { status, timings } = response;
  const late = status === 0 && response.error_code === TIMED_OUT;
  const answeredMs = timings.connecting + timings.tls_handshaking + timings.duration;
  const elapsedMs = late ? endpoint.patienceMs : status === 0 ? Date.now() - sentMs : answeredMs;
  if (setup) {
    counts.setUp.add(1);
  } else {
    counts.requests.add(1);
    counts.failed.add(!endpoint.statuses.includes(status), { endpoint: endpoint.tag });
    if (status > 0 || late) {
      counts.latencyMs.add(elapsedMs, { endpoint: endpoint.tag });
    }
  }
  if (shared.recorded) {
    const sentS = ((sentMs - exec.scenario.startTime) / 1000).toFixed(6);
    const row = [customer.session.number, quoted(endpoint.label), sentS, status || "", elapsedMs.toFixed(3)];
    console.log([...row, setup ? 1 : 0].join(","));
  }
  if (status >= 200 && status < 300 && typeof response.body === "string") {
    keep(endpoint.extracts, response.body, values);
  }
  return sentMs;
}

// Log in where it is the login's value that the request lacks; what lacks another ends the session.
function prepare(customer: Customer, variant: number): void {
  const { shared, values } = customer;
  const { login } = shared;
  if (login && login.weights.length > 0 && missing(shared.variants[variant]!, values).includes(login.value)) {
    const chosen = login.firstVariant + customer.setup.pick(login.weights);
    if (missing(shared.variants[chosen]!, values).length === 0) {
      ask(customer, login.endpoint, chosen, true);
    }
  }
}

function begin(customer: Customer): void {
  if (customer.begun) {
    return;
  }
  customer.begun = true;
  counts.begun.add(1);
  const delayMs = Date.now() - exec.scenario.startTime - customer.session.startS * 1000;
  counts.startDelayMs.add(delayMs);
  if (delayMs <= LATE_S * 1000) {
    counts.onTime.add(1);
  }
}

function quoted(text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replace(/"/g, '""')}"` : text;
}
