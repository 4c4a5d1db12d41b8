// The executor shared-iterations: virtual users take the next iteration when they are free. Time is made: it passes
// when all of them wait, at once to the moment at which the first of them goes on.
import { request as send } from 'node:http';
import { MessageChannel, Worker } from 'node:worker_threads';

const GRACEFUL_STOP_MS = 30000;
const EPOCH_MS = 1700000000000;

export class SharedIterations {
  constructor({ vus, iterations, maxDuration }, { measures, log, told, stopMs, ...forUsers }) {
    if (!(vus > 0) || iterations < vus) {
      throw new Error(`the number of iterations (${iterations}) can't be less than the number of VUs (${vus})`);
    }
    Object.assign(this, { vus, iterations, measures, told });
    this.maxMs = 1000 * Number(/^([0-9]+)s$/.exec(maxDuration)[1]);
    this.stopMs = Math.min(stopMs, this.maxMs + GRACEFUL_STOP_MS);
    this.clock = new Float64Array(new SharedArrayBuffer(8));
    this.data = { clock: this.clock, epochMs: EPOCH_MS, startTime: EPOCH_MS, ...forUsers };
    this.taken = 0;
    this.awake = vus;
    this.left = vus;
    this.waiting = [];
    this.heard = {
      next: (user) => this.next(user),
      sleep: (user, seconds) => this.wait(user, this.clock[0] + 1000 * seconds, () => null),
      request: (user, asked) => this.request(user, asked),
      sample: (user, { name, value, tags }) => measures.add(name, value, tags),
      log: (user, text) => log(text),
      thrown: (user, text) => told(text),
      gone: (user) => this.gone(user),
    };
  }

  async run() {
    const finished = new Promise((done) => {
      this.finish = done;
    });
    this.users = Array.from({ length: this.vus }, () => this.user());
    await finished;
    if (this.taken < this.iterations) {
      this.measures.add('dropped_iterations', this.iterations - this.taken);
    }
    await Promise.all(this.users.map(({ worker }) => worker.terminate()));
  }

  user() {
    const { port1, port2 } = new MessageChannel();
    const user = { port: port1, signal: new Int32Array(new SharedArrayBuffer(4)) };
    port1.on('message', ({ kind, payload }) => this.heard[kind](user, payload));
    const workerData = { ...this.data, port: port2, signal: user.signal };
    user.worker = new Worker(new URL('./user.mjs', import.meta.url), { workerData, transferList: [port2] });
    user.worker.on('error', (error) => {
      this.told(`virtual user: ${error.stack}`);
      process.exit(1);
    });
    return user;
  }

  next(user) {
    this.wait(user, this.clock[0], () => {
      const more = this.taken < this.iterations && this.clock[0] < this.maxMs;
      this.taken += more ? 1 : 0;
      return more ? this.taken - 1 : null;
    });
  }

  // The server says how long its answer took, and it takes that long in the time that is made.
  request(user, { method, url, body: sentBody, headers, timeout }) {
    const answered = (tookMs, answer) => {
      const late = tookMs > timeout;
      const none = { status: 0, errorCode: 1050, body: null, cookies: [], tookMs: timeout };
      const given = late ? none : { ...answer, tookMs };
      this.wait(user, this.clock[0] + given.tookMs, () => given);
    };
    const sent = send(url, { method, headers, agent: false }, (response) => {
      const chunks = [];
      response.on('data', (chunk) => chunks.push(chunk));
      response.on('end', () => {
        const { statusCode: status, headers: came } = response;
        const body = Buffer.concat(chunks).toString();
        answered(Number(came['took-ms'] ?? 0), { status, errorCode: 0, body, cookies: came['set-cookie'] ?? [] });
      });
    });
    sent.on('error', () => answered(0, { status: 0, errorCode: 1212, body: null, cookies: [] }));
    sent.end(sentBody ?? undefined);
  }

  gone(user) {
    user.port.close();
    this.left -= 1;
    this.asleep();
  }

  wait(user, untilMs, reply) {
    this.waiting.push({ user, untilMs, reply });
    this.asleep();
  }

  asleep() {
    this.awake -= 1;
    if (this.awake > 0) {
      return;
    }
    if (this.left === 0) {
      this.finish();
      return;
    }
    const first = this.waiting.reduce((one, other) => (other.untilMs < one.untilMs ? other : one));
    this.clock[0] = Math.max(this.clock[0], first.untilMs);
    if (this.clock[0] > this.stopMs) {
      this.finish();
      return;
    }
    this.waiting.splice(this.waiting.indexOf(first), 1);
    this.awake += 1;
    const { user, reply } = first;
    user.port.postMessage(reply());
    Atomics.store(user.signal, 0, 1);
    Atomics.notify(user.signal, 0);
  }
}
