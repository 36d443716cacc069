/** Kibibytes of machine stack that Node has without `--stack-size`. */
const DEFAULT_STACK = 984;

/**
 * Bytes of the machine stack that nested guest calls may take: half of it. The command's first line starts Node with a
 * larger one, since a guest that recurses deeper than this runs at the speed of the dispatcher.
 */
export function stackBytes(): number {
  const option = /--stack[-_]size[= ](\d+)/.exec(process.execArgv.join(' '));
  return Math.floor((option ? Number(option[1]) : DEFAULT_STACK) * 512);
}
