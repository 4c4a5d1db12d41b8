// What will be sent, planned before anything is: when each session begins, its steps, the seconds between them.
import { SESSION, STARTS, Stream, normalShare, quantile } from "./draw.ts";
import type { Arc, Guard, LoadClass, LoadModel, ModelEndpoint } from "./model.ts";
import type { Settings } from "./settings.ts";

const BLOCK_SESSIONS = 20;

// `variant` counts through the variants of all endpoints; it is NO_VARIANT where nothing recorded can be sent.
export type Step = [endpoint: number, gapS: number, variant: number];
export type Session = { number: number; startS: number; steps: Step[] };
export const NO_VARIANT = -1;

type Piece = { beginS: number; endS: number; expected: number };

export function planned(model: LoadModel, settings: Settings): Session[] {
  const firstVariants = firstPlaces(model.endpoints);
  const sessions: Session[] = [];
  starts(model, settings).forEach((startS, number) => {
    const steps = walked(model, new Stream(SESSION, settings.seed, number), firstVariants);
    if (steps.length > 0) {
      sessions.push({ number, startS, steps });
    }
  });
  return sessions;
}

// The place of each endpoint's first variant among those of all endpoints.
export function firstPlaces(endpoints: ModelEndpoint[]): number[] {
  const places: number[] = [];
  let place = 0;
  for (const endpoint of endpoints) {
    places.push(place);
    place += endpoint.variants.length;
  }
  return places;
}

// Seconds from the run's beginning, rising. In stretches of some twenty expected sessions the number is as expected,
// give or take one; within them each session begins by itself.
export function starts(model: LoadModel, settings: Settings): number[] {
  const found: number[] = [];
  blocks(pieces(model, settings)).forEach((block, number) => {
    let expected = 0;
    for (const piece of block) {
      expected += piece.expected;
    }
    if (expected === 0) {
      return;
    }
    const stream = new Stream(STARTS, settings.seed, number);
    const whole = Math.floor(expected);
    const count = whole + (stream.uniform() < expected - whole ? 1 : 0);
    const weights = block.map((piece) => piece.expected);
    for (let drawn = 0; drawn < count; drawn += 1) {
      const { beginS, endS } = block[stream.pick(weights)]!;
      found.push(beginS + stream.uniform() * (endS - beginS));
    }
  });
  return found.sort((one, other) => one - other);
}

// The part of the curve that is run, cut where its buckets end; after the curve's end it begins anew.
function pieces({ curve }: LoadModel, settings: Settings): Piece[] {
  const { startS, lengthS, compress } = settings;
  const endS = startS + lengthS;
  const rate = (settings.scale * settings.multiplier) / compress;
  const found: Piece[] = [];
  let atS = startS;
  for (let bucket = Math.floor(startS / curve.bucket_s); atS < endS; bucket += 1) {
    const toS = Math.min((bucket + 1) * curve.bucket_s, endS);
    if (toS > atS) {
      const expected = ((curve.sessions[bucket % curve.sessions.length]! * (toS - atS)) / curve.bucket_s) * rate;
      found.push({ beginS: (atS - startS) / compress, endS: (toS - startS) / compress, expected });
      atS = toS;
    }
  }
  return found;
}

function blocks(all: Piece[]): Piece[][] {
  const found: Piece[][] = [];
  let block: Piece[] = [];
  let expected = 0;
  for (const piece of all) {
    block.push(piece);
    expected += piece.expected;
    if (expected >= BLOCK_SESSIONS) {
      found.push(block);
      block = [];
      expected = 0;
    }
  }
  const last = found.pop() ?? [];
  return [...found, [...last, ...block]];
}

export function walked(model: LoadModel, stream: Stream, firstVariants: number[]): Step[] {
  const one = model.classes[stream.pick(model.classes.map((each) => each.weight))]!;
  const pace = stream.normal();
  const taken = model.endpoints.map(() => 0);
  const steps: Step[] = [];
  let state = 0;
  while (steps.length < model.longest) {
    const { arcs, end_logit } = one.states[state]!;
    if (arcs.length === 0 || stream.uniform() < 1 / (1 + Math.exp(-(end_logit + shift(one, steps.length))))) {
      break;
    }
    const open = arcs.filter((arc) => allowed(model.guards, arc.endpoint, taken));
    if (open.length === 0) {
      break;
    }
    const arc = open[stream.pick(open.map((each) => each.weight))]!;
    const gapS = steps.length === 0 ? 0 : gap(model, one, arc, pace, stream);
    const weights = model.endpoints[arc.endpoint]!.variants.map((variant) => variant.n);
    const variant = weights.length === 0 ? NO_VARIANT : firstVariants[arc.endpoint]! + stream.pick(weights);
    steps.push([arc.endpoint, gapS, variant]);
    if (variant === NO_VARIANT) {
      break;
    }
    taken[arc.endpoint]! += 1;
    state = arc.state;
  }
  return steps;
}

function shift(one: LoadClass, done: number): number {
  return done === 0 ? 0 : one.end_shift[one.step_bounds.filter((bound) => bound < done).length]!;
}

function allowed(guards: Guard[], endpoint: number, taken: number[]): boolean {
  return guards.every(
    (guard) =>
      guard.endpoint !== endpoint ||
      taken[guard.needs]! > (guard.used_by === undefined ? 0 : taken[guard.used_by]!),
  );
}

// Sessions are quick or slow as a whole: what `pace` says of a session counts for r of each gap.
function gap(model: LoadModel, one: LoadClass, arc: Arc, pace: number, stream: Stream): number {
  const own = stream.normal();
  if (arc.gap === undefined) {
    return 0;
  }
  const r = one.session_correlation;
  const share = normalShare(Math.sqrt(r) * pace + Math.sqrt(1 - r) * own);
  return quantile(model.gap_levels, model.gaps[arc.gap]!.seconds, share);
}

// When a session is over if each of its answers takes as long as a client waits.
export function latestEndS(session: Session, patienceMs: number[], setupMs: number): number {
  let nowS = session.startS + setupMs / 1000;
  let answeredS = 0;
  for (const [endpoint, gapS] of session.steps) {
    nowS += Math.max(gapS, answeredS);
    answeredS = patienceMs[endpoint]! / 1000;
  }
  return nowS + answeredS;
}

// How many sessions may be under way at once, at most.
export function mostAtOnce(sessions: Session[], endsS: number[]): number {
  const ends = [...endsS].sort((one, other) => one - other);
  let over = 0;
  let most = 0;
  sessions.forEach(({ startS }, begun) => {
    while (ends[over]! <= startS) {
      over += 1;
    }
    most = Math.max(most, begun + 1 - over);
  });
  return most;
}
