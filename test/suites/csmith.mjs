// Random C programs of csmith, compiled at several levels: on the processor (i386) or qemu-user (MIPS) and in both executors.
// Needs Debian's csmith, libcsmith-dev and cross compilers, and the build. --help says how.
import { rmSync } from 'node:fs';
import { bundle, bundled } from '../oracle/bundle.mjs';

const guest = await bundle('test/suites/guest.ts');
process.on('exit', () => rmSync(guest, { force: true }));
const { main } = await bundled('test/suites/csmith.ts');
process.exitCode = await main(process.argv.slice(2), guest);
