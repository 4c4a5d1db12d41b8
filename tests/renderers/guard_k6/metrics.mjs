export const counters = {};

export class Counter {
  constructor(name) {
    this.name = name;
  }

  add(n) {
    counters[this.name] = (counters[this.name] ?? 0) + n;
  }
}
