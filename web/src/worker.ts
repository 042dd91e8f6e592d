/** Worker for all computation, so that the page's thread stays free. It passes calls to the module; loops are in the module. */

import { Session, drawMaze, mazeTrail, questions } from "../pkg/index.js";
import type { ModelFiles, Piece, StepReport } from "../pkg/index.js";
import { filesOf, pack, unpack } from "./archive";
import { startModule } from "./module";
import { type Calls, type News, type Reply, type Request, lockOf, reasonsOf } from "./protocol";
import { keep, kept } from "./storage";

/** File with the name of the model, in a saved state. */
const NAME_FILE = "name.txt";
/** Time between two saved states, in seconds. Short, because a reload comes without notice and a state is only a few megabytes. */
const SAVE_EVERY_S = 3;

let session: Session | undefined;
let memory: WebAssembly.Memory | undefined;
let stopped = false;
let name = "";

const say = (message: News | Reply) => self.postMessage(message);

const open = (): Session => {
  if (!session) throw new Error("the module has not started yet");
  return session;
};

// The page requests the same lock, and gets it when this worker has ended for any reason.
void navigator.locks?.request(lockOf(self.name), () => new Promise(() => undefined));

self.addEventListener("error", (event) => {
  event.preventDefault();
  say({ news: "fatal", reasons: reasonsOf(event.error ?? event.message) });
});
self.addEventListener("unhandledrejection", (event) => {
  event.preventDefault();
  say({ news: "fatal", reasons: reasonsOf(event.reason) });
});

async function save(files: ModelFiles, step: number): Promise<void> {
  try {
    await keep(pack({ ...files, [NAME_FILE]: new TextEncoder().encode(name) }));
    say({ news: "saved", step, problem: null });
  } catch (error) {
    // In a private window or with a full disk the training continues, and the page shows the problem.
    say({ news: "saved", step, problem: reasonsOf(error).join(": ") });
  }
}

const answers: { [C in keyof Calls]: (argument: Calls[C][0]) => Promise<Calls[C][1]> } = {
  async start({ device }) {
    memory = await startModule((loaded, total) => say({ news: "progress", loaded, total }));
    session = await Session.create({ device });
    return session.device;
  },
  async restore() {
    const bytes = await kept();
    if (!bytes) return null;
    const { [NAME_FILE]: words, ...files } = unpack(bytes);
    const info = await open().loadModel(files);
    name = new TextDecoder().decode(words);
    return { info, name };
  },
  async load({ chosen, name: called }) {
    const info = await open().loadModel(await filesOf(chosen));
    name = called;
    return info;
  },
  async create({ model, training, name: called }) {
    await open().newModel(model);
    const info = await open().startTraining(training);
    name = called;
    return info;
  },
  async info() {
    return open().modelInfo();
  },
  async question({ task, number }) {
    const { test } = questions({ ...task, train_questions: 1, eval_questions: 1, seed: number });
    return test[0]!;
  },
  async generate({ prompt, options }) {
    stopped = false;
    const maze = drawMaze(prompt);
    const texts = new Map<number, string>();
    return open().generate(prompt, options, (piece: Piece) => {
      const text = (texts.get(piece.fork) ?? "") + piece.text;
      texts.set(piece.fork, text);
      say({ news: "piece", piece, maze, trail: maze && mazeTrail(prompt, text) });
      return !stopped;
    });
  },
  async train({ steps }) {
    stopped = false;
    let step = open().modelInfo()?.training?.steps_done ?? 0;
    const onStep = (report: StepReport) => {
      step = report.step;
      const [deviceBytes, moduleBytes] = [open().deviceBytes() ?? 0, memory?.buffer.byteLength ?? 0];
      say({ news: "step", report, deviceBytes, moduleBytes });
      return !stopped;
    };
    return open().train({ steps, save_every_s: SAVE_EVERY_S }, onStep, (files) => save(files, step));
  },
  async evaluate({ questions: count }) {
    return open().evaluate({ questions: count });
  },
  async exportModel() {
    return pack(await open().exportModel());
  },
  async stop() {
    stopped = true;
    return null;
  },
};

self.addEventListener("message", async ({ data }: MessageEvent<Request>) => {
  try {
    const answer = answers[data.call] as (argument: unknown) => Promise<unknown>;
    say({ id: data.id, value: await answer(data.argument) });
  } catch (error) {
    // The device is lost, with the model on it.
    if (error instanceof Error && error.name === "DeviceError") say({ news: "fatal", reasons: reasonsOf(error) });
    else say({ id: data.id, reasons: reasonsOf(error) });
  }
});
