export type DeviceChoice = "auto" | "webgpu" | "cpu";
export type Method = "sft" | "sft-mixed" | "ssft-random" | "ssft";
export type TaskName = "arithmetic" | "countdown" | "maze";

export interface CreateOptions { device?: DeviceChoice }
/** `note`: reason why `auto` uses the CPU. */
export interface DeviceInfo { kind: "webgpu" | "cpu"; name: string; note: string | null }

/** Contents of a Hugging Face directory by file name: `config.json`, `model.safetensors`, `tokenizer.json`, .. */
export type ModelFiles = Record<string, Uint8Array>;
export interface ModelOptions { preset?: "toy" | "demo" | "tiny" | "small"; forks?: number; context?: number; seed?: number }
export interface ForkTable {
  forks: { index: number; token: string; id: number }[];
  /** Number of matches of each fork (row) with traces of each source (column), in the last epoch. */
  coverage: { sources: string[]; counts: number[][] };
  chosen_fork: number | null;
}
export interface ModelInfo {
  parameters: number; vocabulary: number; context: number; forks: ForkTable;
  training: { options: Required<Omit<TrainOptions, "data">> & { data: string | null }; steps_done: number; questions: number; held_out: number } | null;
}

export interface DataRecord {
  id: string; question?: string; messages?: { role: string; content: string; reasoning_content?: string }[];
  traces: { source?: string; text: string }[]; answer?: string;
}
export interface TaskOptions { task?: TaskName; difficulty?: number; train_questions?: number; eval_questions?: number; seed?: number }

export interface GenerateOptions {
  forks?: "all" | "auto" | number; task?: TaskName; answers?: "exact" | "numeric" | "boxed";
  temperature?: number; top_k?: number; top_p?: number; min_p?: number; repetition_penalty?: number;
  stop?: string[]; max_tokens?: number; seed?: number;
}
export type Finish = "eos" | "stop" | "length" | "cancelled";
/** A new token of a fork; `text` is the text that it adds. */
export interface Piece { fork: number; token: number; text: string; finish: Finish | null }
/** `logprob` is in nats; `correct` is present if a task judges the answers. */
export interface Generation {
  prompt: string; prompt_tokens: number[];
  forks: { fork: number; tokens: number[]; text: string; answer: string | null; correct?: boolean; strategy?: string; finish: Finish; logprob: number }[];
  /** `fork`: the first fork that gave the winning answer, from 1. */
  vote: { answer: string; votes: number; fork: number } | null;
}

export interface TrainOptions extends TaskOptions {
  /** Content of a JSONL data file, instead of a task. */
  data?: string | null;
  answers?: "exact" | "numeric" | "boxed"; method?: Method; match_tokens?: number; matching?: "full" | "lazy";
  batch_questions?: number; accumulate?: number; steps?: number;
  /** Memory for the passes of a step, in MiB. */
  memory_budget?: number;
  lr?: number; warmup_steps?: number; schedule?: "cosine" | "linear" | "constant"; weight_decay?: number; clip_norm?: number;
}
/**
 * `probe_every`: number of steps between two reports with costs; 0 for none.
 * `save_every_s`: time between two saved states, in seconds; the first is saved after the first step, the last at the end.
 */
export interface LoopOptions { steps?: number; probe_every?: number; save_every_s?: number }
/** Costs `[forks][traces]` of a question, in nats a token, and the fork of each trace in the optimal matching, from 1. */
export interface Probe { id: string; sources: string[]; costs: number[][]; forks: number[] }
/** A line of `metrics.jsonl`, with `recent` and, if due, `probe`. */
export interface StepReport {
  step: number; epoch: number; loss: number; lr: number; grad_norm: number; tokens: number; tokens_per_s: number;
  ms_cost: number; ms_match: number; ms_train: number; padding: number; cost_saved: number | null; retrained: number;
  matches: { id: string; forks: number[] }[]; probe?: Probe[];
  /** Number of matches of each fork (row) with traces of each source (column), in the last 64 questions. */
  recent: { sources: string[]; counts: number[][] };
}

export interface EvaluateOptions { questions?: number }
/** The figures of `eval.json` for one greedy answer of each fork. */
export interface Evaluation {
  n_questions: number;
  forks: { fork: number; pass_at_1: number; ci95: [number, number]; strategies: number[] }[];
  strategies: string[]; native_cons_at_n: number | null; distinct_answers: number | null; mutual_information: number | null;
  samples: { id: string; question: string | null; fork: number; text: string; answer: string | null; correct: boolean; strategy: string | null }[];
  [figure: string]: unknown;
}

/** Cells are numbered row by row from the top left. */
export interface Maze { size: number; start: number; goal: number; passages: [number, number][] }
export interface Trail { log: number[]; path: number[] | null }
