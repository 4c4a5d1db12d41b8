// The guards beside it (guards.json) as a k6 run: k6 run -e BASE_URL=http://127.0.0.1:8080 guards.k6.js
// Each guard sends as many requests as its plan takes; the thresholds hold where every guard that was asked for (-e
// GUARD=id,id; all where it is left out) is healthy. What was not judged counts as not healthy.
import http from 'k6/http';
import { Counter } from 'k6/metrics';

const DEFAULT_URL = 'http://127.0.0.1:8080';
const GRACE_MS = 500;
const PREPARATION_MS = 10000;
const MAX_TRIES = 3;
const PREPARED_AT_ONCE = 8;
const TIMED_OUT = 1050; // k6's error code of a request timeout
const READS = ['GET', 'HEAD', 'OPTIONS'];

const { requests, guards } = JSON.parse(open('./guards.json'));
const asked = (__ENV.GUARD || '').split(',').filter((id) => id);
const chosen = guards.filter((guard) => asked.length === 0 || asked.includes(guard.id));
const latencyFactor = Number(__ENV.LATENCY_FACTOR || 1);
const baseUrl = checkTarget(__ENV.BASE_URL || DEFAULT_URL);

if (asked.some((id) => !guards.some((guard) => guard.id === id)) || chosen.length === 0) {
  throw new Error(`no such guard: ${JSON.stringify(asked)}`);
}
if (!(latencyFactor > 0)) {
  throw new Error('LATENCY_FACTOR is a positive number, for instance 2.');
}

const healthy = new Counter('guards_healthy');
const bad = new Counter('guards_bad');
const notJudged = new Counter('guards_not_judged');
const answers = new Counter('guard_answers');

export const options = {
  scenarios: { guards: { executor: 'per-vu-iterations', vus: 1, iterations: 1, maxDuration: '2h' } },
  thresholds: {
    guards_healthy: [`count==${chosen.length}`],
    guards_bad: ['count==0'],
    guards_not_judged: ['count==0'],
    guard_answers: [`count>=${chosen.reduce((sum, guard) => sum + guard.looks[0][0], 0)}`],
  },
};

export default async function runGuards() {
  // A threshold of a metric without a sample might not be looked at.
  [healthy, bad, notJudged, answers].forEach((counter) => counter.add(0));
  for (const guard of chosen) {
    const tally = await judged(guard);
    const [symptom, told] = conclusion(tally);
    const counter = symptom === 'healthy' ? healthy : ['setup', 'unreachable'].includes(symptom) ? notJudged : bad;
    counter.add(1);
    answers.add(tally.sent);
    console.log(`guard ${guard.id}: ${symptom}: ${told}`);
  }
}

async function judged(guard) {
  const tally = { guard, sent: 0, tried: 0, symptoms: {}, lost: '' };
  while (!conclusion(tally)[0]) {
    const first = tally.tried;
    const missing = guard.looks.find(([n]) => n > tally.sent)[0] - tally.sent;
    tally.tried += missing;
    const customers = Array.from({ length: missing }, (_, place) => ({
      exchange: guard.exchanges[(first + place) % guard.exchanges.length],
      jar: new http.CookieJar(),
      values: {},
      lost: '',
    }));
    await inTurns(PREPARED_AT_ONCE, customers, (customer) => prepare(guard, customer, tally));
    customers.filter((customer) => customer.lost && guard.whole).forEach((customer) => add(tally, customer.lost));
    const ready = customers.filter((customer) => !customer.lost);
    const judge = async (customer) => add(tally, await judgeOne(guard, customer));
    if (guard.kind === 'throughput') {
      const late = (place) => new Promise((go) => setTimeout(go, (1000 * place) / guard.rate_per_s));
      await Promise.all(ready.map((customer, place) => late(place).then(() => judge(customer))));
    } else {
      await inTurns(guard.at_once, ready, judge);
    }
  }
  return tally;
}

async function inTurns(atOnce, items, work) {
  const left = [...items];
  const worker = async () => {
    for (let item = left.shift(); item !== undefined; item = left.shift()) {
      await work(item);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
}

function add(tally, symptom) {
  tally.sent += 1;
  if (symptom) {
    tally.symptoms[symptom] = (tally.symptoms[symptom] || 0) + 1;
  }
}

function conclusion(tally) {
  const { guard, sent, tried, symptoms } = tally;
  if (tried > MAX_TRIES * guard.looks[guard.looks.length - 1][0]) {
    return ['setup', `${tried - sent} of ${tried} customers did not get there: ${tally.lost}`];
  }
  const look = guard.looks.find(([n]) => n === sent);
  if (!look) {
    return ['', ''];
  }
  const came = Object.entries(symptoms).sort((one, other) => other[1] - one[1]);
  const count = came.reduce((sum, [, n]) => sum + n, 0);
  const told = `${count} of ${sent} were bad (${came.map(([name, n]) => `${n} ${name}`).join(', ') || 'none'})`;
  if (count <= look[1]) {
    return ['healthy', told];
  }
  if (count < look[2]) {
    return ['', ''];
  }
  if (symptoms.unreachable === sent) {
    return ['unreachable', told];
  }
  if (2 * (symptoms.unexpected_status || 0) >= count) {
    return ['setup', told];
  }
  return [came[0][0], told];
}

async function prepare(guard, customer, tally) {
  const patienceMs = guard.whole ? guard.limit_ms * latencyFactor : PREPARATION_MS;
  for (const name of customer.exchange.prepare) {
    const { status, document } = await ask(customer, name, patienceMs);
    if (!(status >= 200 && status < 300)) {
      customer.lost = typeof status === 'string' ? status : status >= 500 ? 'server_error' : 'unexpected_status';
      tally.lost = JSON.stringify([requests[name].method, requests[name].route, status]);
      return;
    }
    for (const extract of requests[name].extracts || []) {
      const found = atPointer(document, extract.pointer);
      if (found !== undefined) {
        customer.values[extract.name] = found;
      }
    }
  }
}

async function judgeOne(guard, customer) {
  const limitMs = guard.limit_ms * latencyFactor;
  const { status, elapsedMs } = await ask(customer, customer.exchange.request, limitMs + GRACE_MS);
  if (typeof status === 'string') {
    return status;
  }
  if (status >= 500) {
    return 'server_error';
  }
  // Another success is a success: what is fixed may accept now and finish later.
  if (!guard.statuses.includes(status) && !(status >= 200 && status < 300)) {
    return 'unexpected_status';
  }
  return elapsedMs > limitMs ? 'no_answer_in_time' : '';
}

async function ask(customer, name, patienceMs) {
  const request = requests[name];
  const filled = fill(request, customer.values);
  if (!filled) {
    return { status: 'unexpected_status', elapsedMs: 0 };
  }
  const started = Date.now();
  const response = await http.asyncRequest(request.method, baseUrl + filled.path, filled.body, {
    headers: filled.headers,
    jar: customer.jar,
    redirects: 0,
    timeout: `${Math.ceil(patienceMs)}ms`,
    tags: { name: `${request.method} ${request.route}` },
  });
  const elapsedMs = Date.now() - started;
  if (!response.status) {
    return { status: response.error_code === TIMED_OUT ? 'no_answer_in_time' : 'unreachable', elapsedMs };
  }
  let document;
  try {
    document = JSON.parse(response.body);
  } catch {
    document = undefined;
  }
  return { status: response.status, elapsedMs, document };
}

// Put fresh, extracted and secret values into a recorded request; nothing where an earlier answer gave none.
function fill(request, values) {
  const segments = request.path.slice(1).split('/').map(asSegment);
  let query = request.query || [];
  const headers = {};
  for (const [name, value] of request.headers || []) {
    headers[name.toLowerCase()] = value;
  }
  let body = request.body === undefined ? null : JSON.parse(JSON.stringify(request.body));
  if (body !== null) {
    headers['content-type'] = headers['content-type'] || 'application/json';
  }
  for (const replacement of request.replacements || []) {
    const value = valueOf(replacement, values);
    if (value === undefined) {
      return null;
    }
    if (replacement.into === 'path') {
      segments[Number(replacement.at)] = strictly(String(value));
    } else if (replacement.into === 'query') {
      query = query.map(([name, old]) => [name, name === replacement.at ? String(value) : old]);
    } else if (replacement.into === 'header') {
      headers[replacement.at.toLowerCase()] = String(value);
    } else {
      body = put(body, replacement.at, value);
    }
  }
  ['host', 'content-length', 'connection', 'transfer-encoding'].forEach((name) => delete headers[name]);
  const pairs = query.map(([name, value]) => `${asQuery(name)}=${asQuery(value)}`).join('&');
  const path = `/${segments.join('/')}${pairs ? `?${pairs}` : ''}`;
  return { path, headers, body: body === null ? null : JSON.stringify(body) };
}

function valueOf(replacement, values) {
  if (replacement.extracted !== undefined) {
    const value = values[replacement.extracted];
    return value === undefined ? undefined : replacement.prefix ? `${replacement.prefix}${value}` : value;
  }
  if (replacement.masked !== undefined) {
    return __ENV[`SECRET_${replacement.masked.toUpperCase()}`] || `placeholder-for-${replacement.masked}`;
  }
  const alphabets = { hex: '0123456789abcdef', digits: '123456789', text: 'abcdefghijklmnopqrstuvwxyz' };
  const drawn = (alphabet, length) =>
    Array.from({ length }, () => alphabet[Math.floor(Math.random() * alphabet.length)]).join('');
  if (replacement.fresh === 'uuid') {
    const hex = drawn(alphabets.hex, 30);
    return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(12, 15)}-a${hex.slice(15, 18)}-${hex.slice(18)}`;
  }
  return drawn(alphabets[replacement.fresh], replacement.length);
}

function keysOf(pointer) {
  return pointer.split('/').slice(1).map((part) => part.replace(/~1/g, '/').replace(/~0/g, '~'));
}

function atPointer(document, pointer) {
  let found = document;
  for (const key of keysOf(pointer)) {
    const known = found !== null && typeof found === 'object' && Object.prototype.hasOwnProperty.call(found, key);
    if (!known) {
      return undefined;
    }
    found = found[key];
  }
  return found;
}

function put(document, pointer, value) {
  const keys = keysOf(pointer);
  if (keys.length === 0) {
    return value;
  }
  const parent = atPointer(document, pointer.slice(0, pointer.lastIndexOf('/')));
  const last = keys[keys.length - 1];
  // A number stays a number where the new value can be one.
  const isNumber = typeof parent[last] === 'number' && typeof value === 'string' && /^[0-9]+$/.test(value);
  parent[last] = isNumber ? Number(value) : value;
  return document;
}

function strictly(text) {
  return encodeURIComponent(text).replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);
}

function asQuery(text) {
  return strictly(text).replace(/%20/g, '+');
}

function asSegment(text) {
  return encodeURIComponent(text).replace(/%(25|24|26|2B|2C|3B|3D|3A|40)/g, decodeURIComponent);
}

function checkTarget(url) {
  const found = /^https?:\/\/(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?)(:[0-9]+)?(\/[!-~]*)?$/.exec(url);
  if (!found || /[\\?#]/.test(url)) {
    throw new Error(`A target is http(s)://host[:port][/path] and nothing else; got ${JSON.stringify(url)}.`);
  }
  const loopback = /^(localhost|127\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}|\[::1\])$/.test(found[1]);
  const names = chosen.flatMap((guard) => guard.exchanges.flatMap((each) => [...each.prepare, each.request]));
  const writes = names.some((name) => !READS.includes(requests[name].method));
  if (!loopback && writes && __ENV.ALLOW_WRITES !== '1') {
    throw new Error(`${url} is beyond loopback and these guards write: add -e ALLOW_WRITES=1.`);
  }
  return url.replace(/\/+$/, '');
}
