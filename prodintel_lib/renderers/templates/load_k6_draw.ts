// Chance, from numbers that are the same in every language: load_plan.py draws alike, so one seed plans the same
// sessions for Locust and for k6.
export const STARTS = 1;
export const SESSION = 2;
export const SETUP = 3;

const WARM_UP_WORDS = 15;

// sfc32 (C. Doty-Humphrey, PractRand): 128 bits of state in words of 32, each stream keyed by three numbers.
export class Stream {
  private a: number;
  private b: number;
  private c: number;
  private counter = 1;

  constructor(kind: number, seed: number, number: number) {
    this.a = kind >>> 0;
    this.b = seed >>> 0;
    this.c = number >>> 0;
    for (let word = 0; word < WARM_UP_WORDS; word += 1) {
      this.word();
    }
  }

  word(): number {
    const drawn = (this.a + this.b + this.counter) >>> 0;
    this.counter = (this.counter + 1) >>> 0;
    this.a = (this.b ^ (this.b >>> 9)) >>> 0;
    this.b = (this.c + (this.c << 3)) >>> 0;
    this.c = (((this.c << 21) | (this.c >>> 11)) + drawn) >>> 0;
    return drawn;
  }

  // From 0 up to 1, in steps of 2 ** -53.
  uniform(): number {
    const high = this.word() >>> 5;
    return (high * 67108864 + (this.word() >>> 6)) / 9007199254740992;
  }

  normal(): number {
    const radius = Math.sqrt(-2 * Math.log(1 - this.uniform()));
    return radius * Math.cos(2 * Math.PI * this.uniform());
  }

  // The place of a weight, drawn in proportion to it.
  pick(weights: number[]): number {
    let total = 0;
    for (const weight of weights) {
      total += weight;
    }
    const reached = this.uniform() * total;
    let running = 0;
    for (let place = 0; place < weights.length; place += 1) {
      running += weights[place]!;
      if (reached < running) {
        return place;
      }
    }
    return weights.length - 1;
  }
}

// The share of a standard normal below x: the series of G. Marsaglia, Evaluating the normal distribution (2004), doi
// 10.18637/jss.v011.i04, which loses nothing to cancellation in the middle; beyond 8 the share is 0 or 1 in a double.
export function normalShare(x: number): number {
  if (Math.abs(x) > 8) {
    return x > 0 ? 1 : 0;
  }
  let sum = x;
  let before = 0;
  let term = x;
  for (let odd = 3; sum !== before; odd += 2) {
    before = sum;
    term *= (x * x) / odd;
    sum += term;
  }
  return 0.5 + (sum * Math.exp(-0.5 * x * x)) / Math.sqrt(2 * Math.PI);
}

// The value at a share, between the values at rising levels.
export function quantile(levels: number[], values: number[], share: number): number {
  let low = 0;
  let high = levels.length - 1;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (levels[middle]! <= share) {
      low = middle;
    } else {
      high = middle;
    }
  }
  const part = (share - levels[low]!) / (levels[high]! - levels[low]!);
  return values[low]! + part * (values[high]! - values[low]!);
}
