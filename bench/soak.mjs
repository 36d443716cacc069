// Memory over time: guests that start and stop, beside one that makes new code all the time, in one process.
// node --expose-gc bench/soak.mjs [--minutes 30]; ends with 1 if memory grows between the middle and the end.
import { bundled } from '../test/oracle/bundle.mjs';

const { main } = await bundled('bench/soak.ts');
process.exit(await main(process.argv.slice(2)));
