// Rebuilds the kernels from source/ with Debian's cross compilers. `--check` compares instead of writing.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const check = process.argv.includes('--check');
const out = check ? mkdtempSync(join(tmpdir(), 'wasmvisor-kernels-')) : here;
const COMMON = (
  '-O1 -std=gnu11 -Wall -Wextra -Werror -ffreestanding -fno-builtin -nostdlib -static -fno-pic -no-pie -fno-ident ' +
  '-fno-stack-protector -fno-asynchronous-unwind-tables -Wl,--build-id=none -Wl,-z,noexecstack -Wl,--no-warn-rwx-segments'
).split(' ');
const X86 = '-march=i686 -fno-omit-frame-pointer -fcf-protection=none -mgeneral-regs-only -T multiboot.ld'.split(' ');
const MALTA = '-march=mips32r2 -mno-abicalls -G0 -msoft-float -Wl,-z,norelro -T paravirt-malta.ld'.split(' ');
const kernels = [
  { name: 'x86-rules', target: 'i686-linux-gnu', flags: X86, files: ['x86-entry.S', 'x86-rules.c'] },
  { name: 'x86-paravirt', target: 'i686-linux-gnu', flags: X86, files: ['paravirt-pc.S', 'paravirt-pc.c', 'paravirt.c'] },
  { name: 'mipsel-paravirt', target: 'mipsel-linux-gnu', flags: MALTA, files: ['paravirt-malta.S', 'paravirt-malta.c', 'paravirt.c'] },
];

for (const { name, target, flags, files } of kernels) {
  const path = join(out, name);
  execFileSync(`${target}-gcc`, [...COMMON, ...flags, '-o', path, ...files], { cwd: join(here, 'source'), stdio: 'inherit' });
  execFileSync(`${target}-strip`, ['--strip-all', path]);
  if (check && !readFileSync(path).equals(readFileSync(join(here, name)))) {
    console.error(`${name} is not what its source makes`);
    process.exitCode = 1;
  }
}
