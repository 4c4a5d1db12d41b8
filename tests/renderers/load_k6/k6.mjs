import { host } from './host.mjs';

export function sleep(seconds) {
  if (!(seconds > 0)) {
    throw new Error(`sleep(${seconds}) waits for nothing`);
  }
  host.call('sleep', seconds);
}
