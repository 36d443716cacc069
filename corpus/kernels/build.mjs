// Rebuilds the kernels from source/ with Debian's cross compiler. `--check` compares instead of writing.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const check = process.argv.includes('--check');
const out = check ? mkdtempSync(join(tmpdir(), 'wasmvisor-kernels-')) : here;
const FLAGS = (
  '-march=i686 -O1 -std=gnu11 -Wall -Wextra -Werror -ffreestanding -fno-builtin -nostdlib -static -fno-pic -no-pie -fno-ident ' +
  '-fno-stack-protector -fno-asynchronous-unwind-tables -fno-omit-frame-pointer -fcf-protection=none -mgeneral-regs-only ' +
  '-Wl,--build-id=none -Wl,-z,noexecstack -Wl,--no-warn-rwx-segments'
).split(' ');

const target = join(out, 'x86-rules');
execFileSync('i686-linux-gnu-gcc', [...FLAGS, '-T', 'x86-rules.ld', '-o', target, 'x86-entry.S', 'x86-rules.c'], {
  cwd: join(here, 'source'),
  stdio: 'inherit',
});
execFileSync('i686-linux-gnu-strip', ['--strip-all', target]);
if (check && !readFileSync(target).equals(readFileSync(join(here, 'x86-rules')))) {
  console.error('x86-rules is not what its source makes');
  process.exit(1);
}
