/** Helpers for elements of the page. */

type Child = Node | string | null | undefined | false;

/** An HTML element with attributes and children. A function as attribute is a listener of the event with that name. */
export function el<T extends keyof HTMLElementTagNameMap>(
  tag: T,
  attributes: Record<string, string | number | boolean | ((event: Event) => void)> = {},
  ...children: Child[]
): HTMLElementTagNameMap[T] {
  const element = document.createElement(tag);
  dress(element, attributes, children);
  return element;
}

/** An SVG element with attributes and children. */
export function svg<T extends keyof SVGElementTagNameMap>(
  tag: T,
  attributes: Record<string, string | number> = {},
  ...children: Child[]
): SVGElementTagNameMap[T] {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  dress(element, attributes, children);
  return element;
}

function dress(
  element: Element,
  attributes: Record<string, string | number | boolean | ((event: Event) => void)>,
  children: Child[],
): void {
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name, value);
    else if (typeof value === "boolean") element.toggleAttribute(name, value);
    else element.setAttribute(name, String(value));
  }
  element.append(...children.filter((child): child is Node | string => child !== null && child !== undefined && child !== false));
}

/**
 * An element of index.html.
 *
 * @throws if it does not exist
 */
export function byId<T extends HTMLElement = HTMLElement>(id: string): T {
  const element = document.getElementById(id);
  if (!element) throw new Error(`the page has no #${id}`);
  return element as T;
}

/** A function that calls `draw` in the next frame, once for any number of calls. */
export function perFrame(draw: () => void): () => void {
  let waiting = false;
  return () => {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => {
      waiting = false;
      draw();
    });
  };
}

/** Name of a fork, counted from 1. */
export const forkName = (fork: number) => `<think${fork}>`;

/** CSS class with the colour of a fork; eight colours repeat. */
export const forkClass = (fork: number) => `fork-${((fork - 1) % 8) + 1}`;

export const percent = (share: number) => `${Math.round(100 * share)} %`;

export const mebibytes = (bytes: number) => `${(bytes / (1 << 20)).toFixed(bytes < 100 << 20 ? 1 : 0)} MiB`;
