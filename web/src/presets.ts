/** Trainings that take minutes in a page. Names of settings are those of `config.toml` with `_` for `-`. */

import type { ModelOptions, TrainOptions } from "../pkg/index.js";

export interface Preset {
  name: string;
  /** Expected result, shown to the user. */
  note: string;
  model: ModelOptions;
  training: TrainOptions;
}

export const PRESETS: Preset[] = [
  {
    name: "Sums, toy model",
    note: "its forks part within minutes, also on a phone; to add up it is too small",
    model: { preset: "toy", forks: 4, context: 128 },
    training: { task: "arithmetic", train_questions: 4000, match_tokens: 8, batch_questions: 8, steps: 1500, lr: 8e-3, memory_budget: 64 },
  },
  {
    name: "Mazes, toy model",
    note: "its forks part within minutes; to find the way it is too small",
    model: { preset: "toy", forks: 6, context: 256 },
    training: { task: "maze", train_questions: 2000, match_tokens: 12, batch_questions: 4, steps: 2000, lr: 4e-3, memory_budget: 128 },
  },
  {
    name: "Sums, the demo's size",
    note: "its forks part, and learn to add; for a laptop and some patience",
    model: { preset: "demo", forks: 6, context: 256 },
    training: { task: "arithmetic", train_questions: 3000, match_tokens: 8, batch_questions: 8, steps: 2000, lr: 3e-3, memory_budget: 256 },
  },
];
