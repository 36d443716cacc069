// Debian's kernel on whole machines, here and elsewhere: node bench/system.mjs [pc] [malta] [--rounds n] [--json file] [--only runner,runner]
import { bundled } from '../test/oracle/bundle.mjs';

const { main } = await bundled('bench/system.ts');
await main(process.argv.slice(2));
