/** Calls of the worker from the page. */

import type { DeviceChoice, DeviceInfo } from "../pkg/index.js";
import { type Calls, type News, type Reasons, type Reply, type Request, lockOf } from "./protocol";
import workerUrl from "./worker.ts?worker&url";

/** Error of a call, with its chain of causes. */
export class Failed extends Error {
  constructor(readonly reasons: Reasons) {
    super(reasons.join(": "));
  }
}

/** One worker: its calls, its news and its end. */
export class Client {
  #worker: Worker;
  #waiting = new Map<number, { resolve: (value: never) => void; reject: (error: Failed) => void }>();
  #next = 1;
  #ended = false;

  /** `hear` is called for all news; `gone` is called once, when the worker has ended or its module has failed. */
  constructor(
    private readonly hear: (news: News) => void,
    private readonly gone: (reasons: Reasons) => void,
  ) {
    // Unlike randomUUID, getRandomValues also exists on pages served over http.
    const name = crypto.getRandomValues(new Uint32Array(4)).join("-");
    // A worker started from a blob has the page's Content-Security-Policy. One started from an address has that of its response,
    // where file servers send none.
    const script = `import ${JSON.stringify(new URL(workerUrl, document.baseURI).href)};`;
    const source = URL.createObjectURL(new Blob([script], { type: "text/javascript" }));
    this.#worker = new Worker(source, { type: "module", name });
    this.#worker.addEventListener("message", () => URL.revokeObjectURL(source), { once: true });
    this.#worker.addEventListener("message", ({ data }: MessageEvent<News | Reply>) => this.#take(data, name));
    this.#worker.addEventListener("error", (event) => this.#end([event.message || "the worker could not be loaded"]));
  }

  start(device: DeviceChoice): Promise<DeviceInfo> {
    return this.call("start", { device });
  }

  call<C extends keyof Calls>(call: C, argument: Calls[C][0]): Promise<Calls[C][1]> {
    return new Promise((resolve, reject) => {
      if (this.#ended) return reject(new Failed(["the worker has ended"]));
      const id = this.#next++;
      this.#worker.postMessage({ id, call, argument } as Request);
      this.#waiting.set(id, { resolve, reject });
    });
  }

  /** Ends the worker without calling `gone`; pending calls are rejected. */
  end(reasons: Reasons = ["the worker has ended"]): void {
    this.#ended = true;
    this.#worker.terminate();
    for (const { reject } of this.#waiting.values()) reject(new Failed(reasons));
    this.#waiting.clear();
  }

  #watched = false;

  #take(message: News | Reply, name: string): void {
    // After its first message the worker holds its lock. The request here is granted when the worker has ended.
    if (!this.#watched) {
      this.#watched = true;
      void navigator.locks?.request(lockOf(name), () => this.#end(["the worker was ended by the browser"]));
    }
    if ("news" in message) {
      if (message.news === "fatal") this.#end(message.reasons);
      else this.hear(message);
      return;
    }
    const waiting = this.#waiting.get(message.id);
    this.#waiting.delete(message.id);
    if ("reasons" in message) waiting?.reject(new Failed(message.reasons));
    else waiting?.resolve(message.value as never);
  }

  #end(reasons: Reasons): void {
    if (this.#ended) return;
    this.end(reasons);
    this.gone(reasons);
  }
}
