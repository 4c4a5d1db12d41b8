import { host } from './host.mjs';

class Metric {
  constructor(name) {
    host.declare(name, this.constructor.name.toLowerCase());
    this.name = name;
  }

  add(value, tags = {}) {
    host.sample(this.name, Number(value), tags);
  }
}

export class Counter extends Metric {}
export class Rate extends Metric {}
export class Trend extends Metric {}
