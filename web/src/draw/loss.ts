/** Curve of the loss of every step, and of its running mean. */

import { svg } from "../dom";

const [WIDTH, HEIGHT, LEFT, TOP, BOTTOM] = [640, 220, 56, 14, 30];
/** Weight of the former mean in the running mean. */
const INERTIA = 0.9;
/** Largest number of points of a curve; of more steps, every n-th is drawn. */
const POINTS = 400;

export function drawLoss(losses: readonly { step: number; loss: number }[]): SVGSVGElement {
  const picture = svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: "curve", role: "img" });
  const last = losses.at(-1);
  const first = losses[0];
  if (!first || !last) {
    picture.append(svg("title", {}, "No step yet"), svg("text", { x: WIDTH / 2, y: HEIGHT / 2, class: "middle" }, "no step yet"));
    return picture;
  }
  picture.append(svg("title", {}, `Loss from ${first.loss.toFixed(3)} at step ${first.step} to ${last.loss.toFixed(3)} at step ${last.step}`));
  const top = losses.reduce((top, { loss }) => Math.max(top, loss), 0);
  const steps = Math.max(last.step - first.step, 1);
  const x = (step: number) => LEFT + ((step - first.step) / steps) * (WIDTH - LEFT - 8);
  const y = (loss: number) => TOP + (1 - loss / top) * (HEIGHT - BOTTOM - TOP);
  for (const share of [0, 0.25, 0.5, 0.75, 1]) {
    const at = y(share * top);
    picture.append(svg("path", { d: `M${LEFT} ${at}H${WIDTH - 8}`, class: "rule" }));
    picture.append(svg("text", { x: LEFT - 6, y: at, class: "tick end-of-line" }, (share * top).toFixed(2)));
  }
  picture.append(svg("text", { x: LEFT, y: HEIGHT - 10, class: "tick" }, `step ${first.step}`));
  picture.append(svg("text", { x: WIDTH - 8, y: HEIGHT - 10, class: "tick end-of-line" }, String(last.step)));
  const every = Math.ceil(losses.length / POINTS);
  let mean = first.loss;
  const raw: string[] = [];
  const smooth: string[] = [];
  losses.forEach(({ step, loss }, index) => {
    mean = INERTIA * mean + (1 - INERTIA) * loss;
    if (index % every !== 0 && index + 1 !== losses.length) return;
    raw.push(`${x(step).toFixed(1)},${y(loss).toFixed(1)}`);
    smooth.push(`${x(step).toFixed(1)},${y(mean).toFixed(1)}`);
  });
  // A line through one point is invisible.
  if (losses.length === 1) picture.append(svg("circle", { cx: x(first.step), cy: y(first.loss), r: 3, class: "point" }));
  picture.append(svg("polyline", { points: raw.join(" "), class: "raw" }), svg("polyline", { points: smooth.join(" "), class: "smooth" }));
  return picture;
}
