/** What page and worker say to each other. The worker answers every request, with a value or an error; news come in between. */

import type {
  DataRecord, DeviceChoice, DeviceInfo, Evaluation, GenerateOptions, Generation, Maze, ModelInfo, ModelOptions, Piece, StepReport,
  TaskOptions, TrainOptions, Trail,
} from "../pkg/index.js";

/** A file that somebody chose, with its path in the folder that was chosen. */
export interface Chosen {
  path: string;
  content: Blob;
}

/** The calls of the worker: argument and result. */
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
  /** As a zip. */
  exportModel: [null, Uint8Array<ArrayBuffer>];
  stop: [null, null];
}

export type Request = { [C in keyof Calls]: { id: number; call: C; argument: Calls[C][0] } }[keyof Calls];

/** An error with what is behind it, outermost first. */
export type Reasons = string[];

export type News =
  | { news: "progress"; loaded: number; total: number }
  | { news: "piece"; piece: Piece; trail: Trail | null; maze: Maze | null }
  | { news: "step"; report: StepReport; deviceBytes: number; moduleBytes: number }
  | { news: "saved"; step: number; problem: string | null }
  | { news: "fatal"; reasons: Reasons };

export type Reply = { id: number; value: unknown } | { id: number; reasons: Reasons };

/** The lock that a worker holds as long as it lives. */
export const lockOf = (worker: string) => `ssft-worker-${worker}`;

export const reasonsOf = (error: unknown): Reasons => {
  const reasons: Reasons = [];
  for (let at = error; at !== undefined && at !== null; at = at instanceof Error ? at.cause : undefined) {
    reasons.push(at instanceof Error ? at.message : String(at));
  }
  return reasons;
};
