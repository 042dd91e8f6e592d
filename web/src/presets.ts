/** Trainings that a page can do while somebody watches. Names of settings are those of `config.toml`. */

import type { ModelOptions, TrainOptions } from "../pkg/index.js";

export interface Preset {
  name: string;
  model: ModelOptions;
  training: TrainOptions;
}

export const PRESETS: Preset[] = [
  {
    name: "Sums, toy model (also on a phone)",
    model: { preset: "toy", forks: 4, context: 128 },
    training: { task: "arithmetic", train_questions: 1000, match_tokens: 8, batch_questions: 4, steps: 1500, lr: 4e-3, memory_budget: 64 },
  },
  {
    name: "Mazes, toy model",
    model: { preset: "toy", forks: 6, context: 256 },
    training: { task: "maze", train_questions: 2000, match_tokens: 12, batch_questions: 4, steps: 2000, lr: 4e-3, memory_budget: 128 },
  },
  {
    name: "Sums, the demo's size (laptop)",
    model: { preset: "demo", forks: 6, context: 256 },
    training: { task: "arithmetic", train_questions: 3000, match_tokens: 8, batch_questions: 8, steps: 2000, lr: 3e-3, memory_budget: 256 },
  },
];
