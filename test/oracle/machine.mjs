// User mode inside the pc: Debian's kernel runs our x86 programs, and the runner that recorded the x86 vectors on all of them.
// node test/oracle/machine.mjs [--kernel 686|686-pae] [--suite x86-integer,…] [--every n] [--executor tiered|interpret|translate]
// [--programs short|long|none]
import { bundled } from './bundle.mjs';

const { main } = await bundled('test/oracle/machine.ts');
process.exitCode = await main(process.argv.slice(2));
