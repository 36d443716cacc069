// Random instructions and short programs with random state, on the processor (x86) or qemu-user (MIPS) and in our executors, with fresh
// seeds. The first differences are reported, made small; --seed repeats them.
// node test/oracle/fuzz.mjs [--isa x86,x86-edges,mips,mipsel] [--seconds n] [--seed n] [--limit differences]
import { bundled } from './bundle.mjs';

const { main } = await bundled('test/oracle/fuzz/index.ts');
process.exitCode = await main(process.argv.slice(2));
