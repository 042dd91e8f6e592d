/** Drawing of a maze with the paths of all forks. */

import type { Maze, Trail } from "../../pkg/index.js";
import { forkClass, svg } from "../dom";

const CELL = 40;

const centre = (maze: Maze, cell: number): [number, number] => [
  ((cell % maze.size) + 0.5) * CELL,
  (Math.floor(cell / maze.size) + 0.5) * CELL,
];

/** Draws the maze and the trail of each fork: dots on the cells of its search, then a line along its path. */
export function drawMaze(maze: Maze, trails: ReadonlyMap<number, Trail>): SVGSVGElement {
  const side = maze.size * CELL;
  const picture = svg("svg", { viewBox: `-4 -4 ${side + 8} ${side + 8}`, class: "maze", role: "img" });
  picture.append(svg("title", {}, described(trails)), walls(maze));
  const forks = [...trails.keys()].sort((a, b) => a - b);
  // Lines are drawn next to each other, within the cell for any number of forks.
  const gap = Math.min(4, (CELL - 16) / Math.max(forks.length - 1, 1));
  forks.forEach((fork, index) => {
    const apart = (index - (forks.length - 1) / 2) * gap;
    const trail = trails.get(fork);
    if (trail) picture.append(way(maze, trail, fork, apart));
  });
  // Start and goal are drawn last, above the ends of the paths.
  picture.append(end(maze, maze.start, "S"), end(maze, maze.goal, "G"));
  return picture;
}

function described(trails: ReadonlyMap<number, Trail>): string {
  const moves = [...trails].map(([fork, { path }]) =>
    path ? `fork ${fork} claims a way of ${path.length - 1} moves` : `fork ${fork} is still looking`,
  );
  return `A maze from S to G. ${moves.join("; ")}`;
}

function walls(maze: Maze): SVGPathElement {
  const open = new Set(maze.passages.map(([a, b]) => `${a},${b}`));
  const { size } = maze;
  let path = `M0 0H${size * CELL}V${size * CELL}H0Z`;
  for (let cell = 0; cell < size * size; cell++) {
    const [column, row] = [cell % size, Math.floor(cell / size)];
    if (column + 1 < size && !open.has(`${cell},${cell + 1}`)) path += `M${(column + 1) * CELL} ${row * CELL}v${CELL}`;
    if (row + 1 < size && !open.has(`${cell},${cell + size}`)) path += `M${column * CELL} ${(row + 1) * CELL}h${CELL}`;
  }
  return svg("path", { d: path, class: "walls" });
}

function end(maze: Maze, cell: number, letter: string): SVGTextElement {
  const [x, y] = centre(maze, cell);
  return svg("text", { x, y, class: "end" }, letter);
}

function way(maze: Maze, trail: Trail, fork: number, apart: number): SVGGElement {
  const at = (cell: number) => centre(maze, cell).map((place) => place + apart) as [number, number];
  const group = svg("g", { class: forkClass(fork) });
  if (!trail.path) {
    for (const cell of new Set(trail.log)) {
      const [cx, cy] = at(cell);
      group.append(svg("circle", { cx, cy, r: 2.5, class: "looked" }));
    }
    const last = trail.log.at(-1);
    if (last !== undefined) group.append(svg("circle", { cx: at(last)[0], cy: at(last)[1], r: 5, class: "looked" }));
  } else {
    group.append(svg("polyline", { points: trail.path.map((cell) => at(cell).join(",")).join(" "), class: "way" }));
  }
  return group;
}
