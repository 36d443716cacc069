import type { InterruptLine } from './device.ts';

/** Inputs that are wired together: the target is high while any of them is. */
export function joinLines(target: InterruptLine): () => InterruptLine {
  let high = 0;
  return () => {
    let mine = false;
    return (level) => {
      if (level === mine) return;
      mine = level;
      high += level ? 1 : -1;
      target(high > 0);
    };
  };
}
