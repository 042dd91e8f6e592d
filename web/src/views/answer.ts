/** View of a question: the answers of N forks side by side, and their vote. */

import type { ForkTable, Generation, Maze, Piece, TaskName, Trail } from "../../pkg/index.js";
import type { Client } from "../client";
import { byId, el, forkClass, forkName, perFrame } from "../dom";
import { drawMaze } from "../draw/maze";

/** Parts of the page that its views use. */
export interface Page {
  client: () => Client;
  /** Runs `work` with all controls disabled, and shows its error. */
  attempt: (work: () => Promise<void>) => Promise<void>;
}

interface Column {
  card: HTMLElement;
  text: HTMLElement;
  verdict: HTMLElement;
}

export class AnswerView {
  #columns = new Map<number, Column>();
  #trails = new Map<number, Trail>();
  #maze: Maze | null = null;
  #question = el("textarea", { id: "question", rows: 2, spellcheck: "false", autocapitalize: "off" });
  #task = el(
    "select",
    { id: "question-task" },
    ...["maze", "arithmetic", "countdown"].map((task) => el("option", { value: task }, task)),
    el("option", { value: "" }, "none of these"),
  );
  #difficulty = el("select", { id: "question-difficulty" }, ...[1, 2, 3].map((level) => el("option", { value: level }, String(level))));
  #temperature = el("input", { id: "temperature", type: "number", min: 0, max: 2, step: "any", value: 0, required: true });
  #ask = el("button", { type: "button", id: "ask", class: "main" }, "Answer");
  #stop = el("button", { type: "button", id: "stop-answer", disabled: true, "data-live": "" }, "Stop");
  #draw = el("button", { type: "button", id: "draw-question" }, "Draw a question");
  #picture = el("div", { id: "maze" });
  #vote = el("p", { id: "vote", role: "status" });
  #answers = el("div", { id: "columns" });
  /** Number of the next question. The first maze was selected among 36: all six forks are right, by four different paths. */
  #number = 8;
  /** Seed of the next answers. */
  #seed = 1;
  #forks: ForkTable | null = null;
  #redraw = perFrame(() => this.#show());

  constructor(private readonly page: Page) {
    byId("answer").append(
      el(
        "div",
        { class: "controls" },
        el("label", { for: "question" }, "Question"),
        this.#question,
        el("label", {}, "Task ", this.#task),
        el("label", {}, "Level ", this.#difficulty),
        this.#draw,
        el("label", {}, "Temperature ", this.#temperature),
        this.#ask,
        this.#stop,
      ),
      this.#vote,
      el("div", { class: "stage" }, this.#picture, this.#answers),
    );
    this.#ask.addEventListener("click", () => void this.ask());
    this.#stop.addEventListener("click", () => {
      void page.client().call("stop", null).catch(() => undefined);
    });
    this.#task.addEventListener("change", () => this.#offer());
    this.#draw.addEventListener("click", () => void page.attempt(() => this.draw()));
  }

  /** Selects the task that a model was trained on, and draws a question of it. */
  async about(task: TaskName): Promise<void> {
    if (this.#task.value === task && this.#question.value !== "") return;
    this.#task.value = task;
    this.#offer();
    this.clear();
    await this.draw();
  }

  /** Hides the button for questions if no task is selected. */
  #offer(): void {
    this.#draw.hidden = this.#task.value === "";
  }

  /** Draws a question of the task. */
  async draw(): Promise<void> {
    const task = this.#task.value as TaskName;
    const difficulty = Number(this.#difficulty.value);
    const record = await this.page.client().call("question", { task: { task, difficulty }, number: this.#number++ });
    this.#question.value = record.question ?? "";
  }

  /** Answers the question with all forks. */
  async ask(): Promise<void> {
    if (!this.#temperature.reportValidity()) return;
    const prompt = this.#question.value;
    this.clear();
    await this.page.attempt(async () => {
      this.#stop.disabled = false;
      this.#stop.focus();
      try {
        const temperature = Number(this.#temperature.value);
        const task = (this.#task.value || undefined) as TaskName | undefined;
        const options = { task, temperature, top_p: temperature > 0 ? 0.95 : 1, seed: this.#seed++ };
        for (const { verdict } of this.#columns.values()) verdict.textContent = "…";
        this.#conclude(await this.page.client().call("generate", { prompt, options }));
      } catch (error) {
        this.clear();
        throw error;
      } finally {
        this.#stop.disabled = true;
      }
    });
  }

  /** Adds a token to the answer of a fork, and its cells to the maze. */
  hear(piece: Piece, maze: Maze | null, trail: Trail | null): void {
    const { text } = this.#column(piece.fork);
    text.append(piece.text);
    this.#maze = maze;
    if (trail) this.#trails.set(piece.fork, trail);
    this.#redraw();
  }

  /** Shows the forks of the opened model. */
  take(forks: ForkTable | null): void {
    this.#forks = forks;
    this.clear();
  }

  /** Removes the answers, and shows an empty card for each fork. */
  clear(): void {
    this.#columns.clear();
    this.#trails.clear();
    this.#maze = null;
    this.#answers.replaceChildren();
    this.#picture.replaceChildren();
    this.#vote.textContent = "";
    for (const { index } of this.#forks?.forks ?? []) this.#column(index);
  }

  #column(fork: number): Column {
    const known = this.#columns.get(fork);
    if (known) return known;
    const text = el("pre", {});
    const verdict = el("p", { class: "verdict" });
    const star = this.#forks?.chosen_fork === fork && el("span", { class: "badge", title: "The fork to use where one answer is wanted: it was matched with most ways" }, "chosen");
    const card = el("article", { class: `card ${forkClass(fork)}` }, el("h2", {}, forkName(fork), star), verdict, text);
    this.#answers.append(card);
    const column = { card, text, verdict };
    this.#columns.set(fork, column);
    return column;
  }

  #show(): void {
    if (this.#maze) this.#picture.replaceChildren(drawMaze(this.#maze, this.#trails));
  }

  #conclude({ forks, vote }: Generation): void {
    const answered = new Set(forks.map(({ fork }) => fork));
    for (const [fork, { card }] of this.#columns) if (!answered.has(fork)) card.remove();
    for (const { fork, text, answer, correct, strategy, finish } of forks) {
      const column = this.#column(fork);
      column.text.textContent = text;
      const judged = correct !== undefined && finish !== "cancelled";
      const verdict = [
        !judged ? "" : correct ? "✓ right" : "✗ wrong",
        answer === null ? "no answer" : `answer ${answer}`,
        strategy ? `way: ${strategy}` : "",
        finish === "eos" ? "" : `ended by ${finish}`,
      ];
      column.verdict.textContent = verdict.filter(Boolean).join(" · ");
      column.card.classList.toggle("right", judged && correct);
      column.card.classList.toggle("wrong", judged && !correct);
      column.card.classList.toggle("voted", vote !== null && answer === vote.answer);
    }
    this.#vote.textContent = vote
      ? `Vote: ${vote.answer}, ${vote.votes} of ${forks.length}${forks.length > 1 ? `, first given by ${forkName(vote.fork)}` : ""}`
      : "No fork gave an answer to vote on.";
  }
}
