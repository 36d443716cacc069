// Decoders and disassemblers against others: GNU objdump and LLVM's tests (length, validity, text), the processor (validity).
// node test/oracle/sweep.mjs [--isa x86,x86-16,mips,mipsel,llvm-x86,…,llvm-mc-x86,…,processor] [--count n] [--seed n] [--json file]
import { bundled } from './bundle.mjs';

const { main } = await bundled('test/oracle/encodings/index.ts');
process.exitCode = main(process.argv.slice(2));
