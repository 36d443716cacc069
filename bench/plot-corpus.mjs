// The picture of a result of `wasmvisor bench --json`: node bench/plot-corpus.mjs <json> <svg>
import { bundled } from '../test/oracle/bundle.mjs';

const { main } = await bundled('bench/plot-corpus.ts');
await main(process.argv.slice(2));
