// Records the vectors anew: x86 from the processor that this runs on, MIPS from qemu-user. Writes <suite>.bin and manifest.json.
// node corpus/vectors/record.mjs [--suite x86-integer,…] [--seed n] [--count n] [--out folder]
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundled } from '../../test/oracle/bundle.mjs';

const { record } = await bundled('test/oracle/record.ts');
process.exitCode = record(process.argv.slice(2), dirname(fileURLToPath(import.meta.url)));
