/** A table of numbers with coloured cells. */

import { el, forkClass, forkName } from "../dom";

export interface Grid {
  caption: string;
  /** Forks of the rows, from 1. */
  rows: number[];
  columns: string[];
  values: number[][];
  /** Depth of a cell's colour, from 0 to 1. */
  depth: (value: number, row: number, column: number) => number;
  text: (value: number) => string;
  /** Cells drawn with a ring, and the meaning of the ring. */
  marked?: { is: (row: number, column: number) => boolean; means: string };
}

export function drawGrid({ caption, rows, columns, values, depth, text, marked }: Grid): HTMLTableElement {
  const head = el("tr", {}, el("td"), ...columns.map((column) => el("th", { scope: "col" }, column || "–")));
  const body = rows.map((fork, row) =>
    el(
      "tr",
      {},
      el("th", { scope: "row", class: forkClass(fork) }, forkName(fork)),
      ...columns.map((_, column) => {
        const value = values[row]?.[column] ?? 0;
        const ringed = marked?.is(row, column) ?? false;
        const cell = el("td", ringed ? { class: "ringed" } : {}, text(value), ringed && el("span", { class: "unseen" }, ` (${marked?.means})`));
        cell.style.setProperty("--depth", `${Math.round(100 * Math.min(1, Math.max(0, depth(value, row, column))))}%`);
        return cell;
      }),
    ),
  );
  return el("table", { class: "grid" }, el("caption", {}, caption), el("thead", {}, head), el("tbody", {}, ...body));
}
