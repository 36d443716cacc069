// Debian's programs, start to exit, here and elsewhere: node bench/debian.mjs [names] [--arch i386,mipsel] [--rounds n] [--json file] [--svg file]
import { bundled } from '../test/oracle/bundle.mjs';

const { main } = await bundled('bench/debian.ts');
await main(process.argv.slice(2));
