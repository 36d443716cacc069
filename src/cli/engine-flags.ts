import { setFlagsFromString } from 'node:v8';

/** Of processor time. */
const SETTLED_MS = 300;

/**
 * V8 optimises a WebAssembly function once this many bytes of its code have run, as it counts: for the interpreter, which is one large loop,
 * that is after some hundred µops, and takes as long as all that a short program does. So our own WebAssembly is given more.
 */
const PATIENT_BUDGET = '--wasm-tiering-budget=2000000000';
/** V8's own number. */
export const USUAL_BUDGET = `--wasm-tiering-budget=${Number.parseInt(process.versions.v8, 10) < 12 ? 1_800_000 : 13_000_000}`;

/** With these the command's first line (start.ts) starts Node: what else sets them takes a tenth of a short program's time to load. */
export const FIRST_LINE = ['--no-opt', PATIENT_BUDGET];
const fromFirstLine = FIRST_LINE.every((flag) => process.execArgv.includes(flag));

const now = { optimises: !fromFirstLine, isPatient: fromFirstLine };

function optimise(on: boolean): void {
  if (now.optimises !== on) setFlagsFromString(on ? '--opt' : '--no-opt');
  now.optimises = on;
}
function bePatient(on: boolean): void {
  if (now.isPatient !== on) setFlagsFromString(on ? PATIENT_BUDGET : USUAL_BUDGET);
  now.isPatient = on;
}

/** As V8 is by itself. */
export function usualFlags(): void {
  optimise(true);
  bePatient(false);
}
/** As it was at the start: V8 takes kept code only under the flags that it was made with. */
export function flagsOfStart(): void {
  optimise(!fromFirstLine);
  bePatient(fromFirstLine);
}

/**
 * V8 begins to optimise the translator's functions at once, which takes a short program's time twice over; until things have
 * settled it must not. It compiles WebAssembly as always.
 */
export function optimiseLater(): void {
  optimise(false);
  const start = process.cpuUsage();
  const look = (): void => {
    const { user, system } = process.cpuUsage(start);
    const left = SETTLED_MS - (user + system) / 1000;
    if (left > 0) setTimeout(look, left).unref();
    else optimise(true);
  };
  look();
}

/** The engine's own WebAssembly. Before other modules are made, `usualPatience` is to be called. */
export function compilePatiently(compile: () => WebAssembly.Module): WebAssembly.Module {
  bePatient(true);
  const module = compile();
  if (!fromFirstLine) bePatient(false);
  return module;
}
export const usualPatience = (): void => bePatient(false);
