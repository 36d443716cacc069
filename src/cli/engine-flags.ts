import { cachedDataVersionTag, setFlagsFromString } from 'node:v8';

/** Of processor time. */
const SETTLED_MS = 300;

/**
 * V8 begins to optimise the translator's functions at once, which takes a short program's time twice over; until things have
 * settled it must not. It compiles WebAssembly as always.
 */
export function optimiseLater(): void {
  setFlagsFromString('--no-opt');
  const start = process.cpuUsage();
  const look = (): void => {
    const { user, system } = process.cpuUsage(start);
    const left = SETTLED_MS - (user + system) / 1000;
    if (left > 0) setTimeout(look, left).unref();
    else setFlagsFromString('--opt');
  };
  look();
}

/**
 * V8 optimises a WebAssembly function once this many bytes of its code have run, as it counts: for the interpreter, which is one large loop,
 * that is after some hundred µops, and takes as long as all that a short program does. So our own WebAssembly is given more.
 */
const PATIENT_BUDGET = 200_000_000;
/** Its own numbers: of V8 11 and of V8 12 to 13. Which one it is shows in what kept code is compared with. */
const USUAL_BUDGETS = [1_800_000, 13_000_000];

export function compileLate(compile: () => WebAssembly.Module): WebAssembly.Module {
  const usual = cachedDataVersionTag();
  setFlagsFromString(`--wasm-tiering-budget=${PATIENT_BUDGET}`);
  const module = compile();
  for (const budget of USUAL_BUDGETS) {
    setFlagsFromString(`--wasm-tiering-budget=${budget}`);
    if (cachedDataVersionTag() === usual) break;
  }
  return module;
}
