// Runs public test suites; --help says how. Needs the build (npm run build), Debian's cross compilers and apt-get.
import { rmSync } from 'node:fs';
import { bundle, bundled } from '../oracle/bundle.mjs';

const guest = await bundle('test/suites/guest.ts');
process.on('exit', () => rmSync(guest, { force: true }));
const { main } = await bundled('test/suites/main.ts');
try {
  process.exitCode = await main(process.argv.slice(2), guest);
} catch (error) {
  console.error(`suites: ${error.message}`);
  process.exitCode = 2;
}
