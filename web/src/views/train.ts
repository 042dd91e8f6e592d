/** View of a training: its loss, the costs of a question, and the matches of each fork. */

import type { Evaluation, Method, ModelInfo, Probe, StepReport } from "../../pkg/index.js";
import { byId, el, mebibytes, percent, perFrame } from "../dom";
import { drawGrid } from "../draw/grid";
import { drawLoss } from "../draw/loss";
import { PRESETS } from "../presets";
import type { Page } from "./answer";

/** Steps of one click on Start: more than any training has. */
const ALL = 1_000_000;

const ARMS: [Method, string][] = [
  ["ssft", "ssft: the cheapest matching of traces and forks"],
  ["ssft-random", "ssft-random: a random one each step"],
  ["sft-mixed", "sft-mixed: every trace under <think1>"],
  ["sft", "sft: one trace, under <think1>"],
];

export class TrainView {
  #preset = el("select", { id: "preset" }, ...PRESETS.map(({ name, note }, index) => el("option", { value: index }, `${name}: ${note}`)));
  #arm = el("select", { id: "arm" }, ...ARMS.map(([arm, name]) => el("option", { value: arm }, name)));
  #seed = el("input", { id: "seed", type: "number", min: 0, max: Number.MAX_SAFE_INTEGER, step: 1, value: 1, required: true });
  #start = el("button", { type: "button", id: "start", class: "main" }, "Start");
  #pause = el("button", { type: "button", id: "pause", disabled: true, "data-live": "" }, "Pause");
  #step = el("button", { type: "button", id: "step" }, "One step");
  #reset = el("button", { type: "button", id: "reset" }, "Reset");
  #evaluate = el("button", { type: "button", id: "evaluate" }, "Ask held-out questions");
  #figures = el("p", { id: "figures" });
  /** Text for screen readers. The figures are not read aloud, because they change with every step. */
  #news = el("p", { class: "unseen", role: "status" });
  #saved = el("p", { id: "saved", class: "note" });
  #curve = el("figure", { id: "loss" });
  #costs = el("figure", { id: "costs" });
  #map = el("figure", { id: "map" });
  #scores = el("figure", { id: "scores" });
  #losses: { step: number; loss: number }[] = [];
  #report: StepReport | null = null;
  #probe: Probe | null = null;
  #memory = "";
  /** Number of steps of the session's training; `null` without a training. */
  #steps: number | null = null;
  /** Number of steps done. */
  #done = 0;
  #stopped = false;
  #redraw = perFrame(() => this.#show());

  constructor(
    private readonly page: Page,
    private readonly held: (info: ModelInfo | null, name?: string) => Promise<void>,
    private readonly memory: (text: string) => void,
  ) {
    byId("train").append(
      el(
        "div",
        { class: "controls" },
        el("label", {}, "Training ", this.#preset),
        el("label", {}, "Arm ", this.#arm),
        el("label", {}, "Seed ", this.#seed),
        this.#start,
        this.#pause,
        this.#step,
        this.#reset,
        this.#evaluate,
      ),
      this.#figures,
      this.#news,
      this.#saved,
      el("div", { class: "boards" }, this.#curve, this.#costs, this.#map, this.#scores),
    );
    this.#start.addEventListener("click", () => void this.#run(ALL));
    this.#step.addEventListener("click", () => void this.#run(1));
    this.#pause.addEventListener("click", () => {
      this.#stopped = true;
      void page.client().call("stop", null).catch(() => undefined);
    });
    this.#reset.addEventListener("click", () => {
      if (this.#seed.reportValidity()) void page.attempt(() => this.#begin());
    });
    this.#evaluate.addEventListener("click", () => void this.#ask());
    for (const select of [this.#preset, this.#arm, this.#seed]) {
      select.addEventListener("change", () => {
        // After the first step, a change of a list does not discard the training.
        if (this.#done > 0) this.#figures.textContent = "Start continues the present training; Reset begins another with these settings.";
        else if (this.#steps !== null && this.#seed.reportValidity()) void page.attempt(() => this.#begin());
      });
    }
    this.#show();
  }

  /** Shows the session's training after a model was opened or restored. */
  take(info: ModelInfo | null, name: string): void {
    const training = info?.training ?? null;
    this.#steps = training?.options.steps ?? null;
    this.#done = training?.steps_done ?? 0;
    this.#losses = [];
    [this.#report, this.#probe] = [null, null];
    this.#scores.replaceChildren();
    this.#saved.textContent = "";
    if (training) {
      const preset = PRESETS.findIndex((preset) => name.startsWith(preset.name));
      if (preset >= 0) this.#preset.value = String(preset);
      this.#arm.value = training.options.method;
      this.#seed.value = String(training.options.seed);
    }
    this.#show();
  }

  hear(report: StepReport, deviceBytes: number, moduleBytes: number): void {
    this.#report = report;
    this.#done = report.step;
    this.#probe = report.probe?.[0] ?? this.#probe;
    this.#losses.push({ step: report.step, loss: report.loss });
    this.#memory = deviceBytes > 0 ? `${mebibytes(deviceBytes)} on the GPU` : mebibytes(moduleBytes);
    this.#redraw();
  }

  saved(step: number, problem: string | null): void {
    this.#saved.textContent = problem
      ? `Step ${step} is not kept in this browser (${problem}): a reload goes back to what was kept before, if anything was.`
      : `Step ${step} is kept in this browser: a reload goes on from there.`;
  }

  /** Makes a new model with the selected settings, and starts its training. */
  async #begin(): Promise<void> {
    const preset = PRESETS[Number(this.#preset.value)] ?? PRESETS[0]!;
    const [method, seed] = [this.#arm.value as Method, Number(this.#seed.value)];
    const name = `${preset.name}, ${method}`;
    const info = await this.page.client().call("create", {
      name,
      model: { ...preset.model, seed },
      training: { ...preset.training, method, seed },
    });
    this.take(info, name);
    await this.held(info, name);
  }

  async #run(steps: number): Promise<void> {
    if (!this.#seed.reportValidity()) return;
    this.#stopped = false;
    await this.page.attempt(async () => {
      this.#pause.disabled = false;
      this.#pause.focus();
      try {
        if (this.#steps === null) await this.#begin();
        if (this.#stopped) return;
        this.#news.textContent = "Training";
        this.#done = await this.page.client().call("train", { steps });
      } finally {
        this.#pause.disabled = true;
      }
      this.#show();
      this.#news.textContent = this.#figures.textContent;
      await this.held(await this.page.client().call("info", null));
    });
  }

  async #ask(): Promise<void> {
    await this.page.attempt(async () => {
      if (this.#steps === null) throw new Error("There is no training whose held-out questions could be asked; Start begins one");
      this.#scores.replaceChildren(el("p", {}, "Every fork answers 20 questions that it has not seen…"));
      try {
        this.#score(await this.page.client().call("evaluate", { questions: 20 }));
      } catch (error) {
        this.#scores.replaceChildren();
        throw error;
      }
    });
  }

  #show(): void {
    const report = this.#report;
    this.#curve.replaceChildren(el("figcaption", {}, "Loss, nats a token"), drawLoss(this.#losses));
    const over = this.#steps !== null && this.#done >= this.#steps ? "the training is over" : "";
    if (!report) {
      const at = `At step ${this.#done} of ${this.#steps}`;
      this.#figures.textContent =
        this.#steps === null
          ? "Start makes a new model with these settings and trains it, in place of the one that is open."
          : [at, over].filter(Boolean).join(" · ");
      this.#costs.replaceChildren(el("figcaption", {}, "Costs of a question: forks x traces"), el("p", {}, "They come with the first step."));
      this.#map.replaceChildren(el("figcaption", {}, "Which fork is matched with which way"), el("p", {}, "It comes with the first step."));
      return;
    }
    const figures = [
      `step ${report.step} of ${this.#steps}`,
      `loss ${report.loss.toFixed(4)}`,
      `${Math.round(report.tokens_per_s)} tokens/s`,
      this.#memory,
      over,
    ];
    this.#figures.textContent = figures.filter(Boolean).join(" · ");
    this.memory(this.#memory);
    if (this.#probe) this.#costs.replaceChildren(costGrid(this.#probe));
    this.#map.replaceChildren(coverageGrid(report));
  }

  #score(evaluation: Evaluation): void {
    const { forks, strategies, native_cons_at_n, n_questions, mutual_information } = evaluation;
    const grid = drawGrid({
      caption: `How each fork answered ${n_questions} questions`,
      rows: forks.map(({ fork }) => fork),
      columns: ["right", ...strategies],
      values: forks.map(({ pass_at_1, strategies: counts }) => [pass_at_1 * n_questions, ...counts]),
      depth: (value) => value / Math.max(n_questions, 1),
      text: (value) => String(Math.round(value)),
    });
    const words = [
      native_cons_at_n === null ? "" : `their vote is right ${percent(native_cons_at_n)} of the time`,
      mutual_information === null ? "" : `fork and way share ${mutual_information.toFixed(2)} bits`,
    ];
    this.#scores.replaceChildren(grid, el("p", {}, words.filter(Boolean).join("; ")));
  }
}

function costGrid({ id, sources, costs, forks }: Probe): HTMLTableElement {
  const all = costs.flat();
  // Columns are sorted by source, because the order of traces differs between questions.
  const order = sources.map((_, column) => column).sort((a, b) => (sources[a] ?? "").localeCompare(sources[b] ?? ""));
  const [least, most] = [Math.min(...all), Math.max(...all)];
  return drawGrid({
    caption: `Costs of ${id}, nats a token (the deeper the colour, the cheaper); ringed: the matching`,
    rows: costs.map((_, row) => row + 1),
    columns: order.map((column) => sources[column] ?? ""),
    values: costs.map((row) => order.map((column) => row[column] ?? 0)),
    depth: (value) => (most - value) / Math.max(most - least, 1e-6),
    text: (value) => value.toFixed(2),
    marked: { is: (row, column) => forks[order[column] ?? 0] === row + 1, means: "matched" },
  });
}

function coverageGrid({ recent }: StepReport): HTMLTableElement {
  const order = recent.sources.map((source, column) => ({ source, column })).sort((a, b) => a.source.localeCompare(b.source));
  const totals = order.map(({ column }) => recent.counts.reduce((sum, row) => sum + (row[column] ?? 0), 0));
  return drawGrid({
    caption: "Which fork was matched with which way, in the last 64 questions",
    rows: recent.counts.map((_, row) => row + 1),
    columns: order.map(({ source }) => source),
    values: recent.counts.map((row) => order.map(({ column }) => row[column] ?? 0)),
    depth: (value, _, column) => value / Math.max(totals[column] ?? 1, 1),
    text: String,
  });
}
