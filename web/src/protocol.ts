/** Messages between page and worker. The worker answers every request with a value or an error, and sends news at any time. */

import type {
  DataRecord, DeviceChoice, DeviceInfo, Evaluation, GenerateOptions, Generation, Maze, ModelInfo, ModelOptions, Piece, StepReport,
  TaskOptions, TrainOptions, Trail,
} from "../pkg/index.js";

/** A file chosen by the user, with its path in the chosen folder. */
export interface Chosen {
  path: string;
  content: Blob;
}

/** Calls of the worker: argument and result. */
export interface Calls {
  start: [{ device: DeviceChoice }, DeviceInfo];
  restore: [null, { info: ModelInfo; name: string } | null];
  load: [{ chosen: Chosen[]; name: string }, ModelInfo];
  create: [{ model: ModelOptions; training: TrainOptions; name: string }, ModelInfo];
  info: [null, ModelInfo | null];
  question: [{ task: TaskOptions; number: number }, DataRecord];
  generate: [{ prompt: string; options: GenerateOptions }, Generation];
  train: [{ steps: number }, number];
  evaluate: [{ questions: number }, Evaluation];
  /** A zip file. */
  exportModel: [null, Uint8Array<ArrayBuffer>];
  stop: [null, null];
}

export type Request = { [C in keyof Calls]: { id: number; call: C; argument: Calls[C][0] } }[keyof Calls];

/** Messages of an error and its causes, the error first. */
export type Reasons = string[];

export type News =
  | { news: "progress"; loaded: number; total: number }
  | { news: "piece"; piece: Piece; trail: Trail | null; maze: Maze | null }
  | { news: "step"; report: StepReport; deviceBytes: number; moduleBytes: number }
  | { news: "saved"; step: number; problem: string | null }
  | { news: "fatal"; reasons: Reasons };

export type Reply = { id: number; value: unknown } | { id: number; reasons: Reasons };

/** Name of the lock that a worker holds while it runs. */
export const lockOf = (worker: string) => `ssft-worker-${worker}`;

export const reasonsOf = (error: unknown): Reasons => {
  const reasons: Reasons = [];
  for (let at = error; at !== undefined && at !== null; at = at instanceof Error ? at.cause : undefined) {
    reasons.push(at instanceof Error ? at.message : String(at));
  }
  return reasons;
};
