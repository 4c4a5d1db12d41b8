// One virtual user: a thread that blocks where k6's calls block, until the run answers.
import { receiveMessageOnPort, workerData } from 'node:worker_threads';

import { host } from './host.mjs';

const { port, signal, clock, epochMs, script, shared, environment, startTime } = workerData;
host.shared = shared;
host.declare = () => {};
host.sample = (name, value, tags) => port.postMessage({ kind: 'sample', payload: { name, value, tags } });
host.call = (kind, payload) => {
  port.postMessage({ kind, payload });
  Atomics.wait(signal, 0, 0);
  Atomics.store(signal, 0, 0);
  return receiveMessageOnPort(port).message;
};
globalThis.__ENV = environment;
globalThis.open = () => {
  throw new Error('the model is read once, not by each virtual user');
};
globalThis.console = { log: (text) => port.postMessage({ kind: 'log', payload: text }) };
Date.now = () => epochMs + Math.floor(clock[0]);

const { default: iterate } = await import(script);
for (let number = host.call('next'); number !== null; number = host.call('next')) {
  host.scenario = { startTime, iterationInTest: number };
  try {
    iterate();
  } catch (error) {
    port.postMessage({ kind: 'thrown', payload: String(error) });
  }
}
port.postMessage({ kind: 'gone' });
