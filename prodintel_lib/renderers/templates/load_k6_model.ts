// What load_model.json holds, as far as this load test reads it. Endpoints, gaps and states are named by their place.
export type Json = string | number | boolean | null | Json[] | { [key: string]: Json };

export type Origin =
  | { source: "fresh"; format: "uuid" | "hex" | "digits" | "text"; length: number }
  | { source: "extracted"; name: string; prefix: string }
  | { source: "masked"; name: string };
export type Replacement = { into: "path" | "query" | "header" | "body"; at: string; value: Origin };
export type Variant = {
  path: string;
  query: [name: string, value: string][];
  headers: [name: string, value: string][];
  body?: Json;
  replacements: Replacement[];
  n: number;
};
export type Extract = { name: string; pointer: string };
export type ModelEndpoint = {
  label: string;
  method: string;
  variants: Variant[];
  extracts: Extract[];
  statuses: number[];
  patience_ms: number;
};
export type Arc = { endpoint: number; weight: number; state: number; gap?: number };
export type LoadClass = {
  weight: number;
  session_correlation: number;
  step_bounds: number[];
  end_shift: number[];
  states: { end_logit: number; arcs: Arc[] }[];
};
export type Guard = { endpoint: number; needs: number; used_by?: number };
export type Curve = {
  start_us: number;
  end_us: number;
  local_start_s: number;
  bucket_s: number;
  sessions: number[];
  source: string;
};
export type Threshold = { endpoint: number; kind: "latency" | "failures"; percentile?: number; limit: number };
export type Defaults = {
  scale: number;
  compress: number;
  start_s: number;
  length_s: number;
  multiplier: number;
  seed: number;
};

export type LoadModel = {
  input_digest: string;
  curve: Curve;
  events: { name: string; ratio: number }[];
  endpoints: ModelEndpoint[];
  gap_levels: number[];
  gaps: { seconds: number[] }[];
  classes: LoadClass[];
  guards: Guard[];
  longest: number;
  login?: { endpoint: number; value: string };
  thresholds: Threshold[];
  defaults: Defaults;
};
