// biome-ignore-all lint/suspicious/noTemplateCurlyInString: shell text
import { describe, expect, test } from 'vitest';
import { inTree, native, runsNatively, wasmvisor } from './execute.ts';
import { type Arch, guestRoot } from './guests.ts';

/** What makes processes; the output is the same on all architectures, so the processor says what it is. */
const SCRIPTS: readonly (readonly [path: string, code: string])[] = [
  [
    '/bin/busybox',
    `seq 1 200 | grep 7 | sort -rn | head -3; x=$(echo inner; exit 3); echo "$x $?"; (cd sub; ls | tr a-z A-Z); false | true; echo $?
    find . -name '*.txt' -exec wc -c {} \\; | sort; find sub -type f | sort | xargs -n 1 echo file; gzip -c words.txt | gunzip | sha256sum
    (exit 9) & wait $!; echo $?; sleep 100 & k=$!; kill $k; wait $k; echo killed $?; for i in 3 1 2; do (sleep 0.$i; echo bg $i > bg$i) & done; wait; cat bg1 bg2 bg3
    sh -c 'kill -SEGV $$'; echo $?; { echo out; echo err >&2; } 2>&1 | sort; tar c sub | tar t | sort; nosuch; echo $?; ./words.txt; echo $?
    printf '#!/bin/sh\\necho never' > s; chmod +x s; cat <<E | sed s/a/b/g
banana $x
E
    timeout 0.3 sleep 100; echo $?; yes | head -2; trap 'echo bye' EXIT; exit 4`,
  ],
  [
    '/bin/bash',
    `set -o pipefail; f() { while read -r a; do echo "<$a>"; done; }; printf '%s\\n' a b | f; echo "\${PIPESTATUS[@]}"
    (exit 3) | f; echo $?; f < <(echo sub; echo shell); x=$( (echo deep; exit 2) ); echo "$x $?"; (trap 'echo t; exit 6' TERM; kill $BASHPID; :); echo $?
    for i in 1 2 3; do (exit $i) & p+=($!); done; for j in "\${p[@]}"; do wait $j; echo -n "$? "; done; echo
    coproc f; echo to >&\${COPROC[1]}; read -r l <&\${COPROC[0]}; echo $l; exec {COPROC[1]}>&-; wait; trap 'echo chld' CHLD; (:); (exit 1); exit 8`,
  ],
];

const processor = guestRoot('i386');
const reference = 'root' in processor && runsNatively('i386', processor.root) ? processor.root : undefined;

for (const arch of ['mipsel', 'i386'] satisfies Arch[]) {
  const guest = guestRoot(arch);
  const missing = 'missing' in guest ? guest.missing : reference === undefined ? 'no processor for i386' : undefined;
  if (missing) console.warn(`Debian's shells for ${arch} are not tested: ${missing}`);
  describe.skipIf(missing !== undefined)(`Debian's shells for ${arch} make processes as on Linux`, () => {
    for (const [path, code] of SCRIPTS)
      test(path, { timeout: 300_000 }, async () => {
        const args = path === '/bin/bash' ? ['-c', code] : ['sh', '-c', code];
        const { stdout, status } = await inTree((cwd) => native(reference!, path, args, cwd));
        expect(stdout.split('\n').length).toBeGreaterThan(10);
        const ours = await inTree((cwd) => wasmvisor('tiered', 'root' in guest ? guest.root : '', path, args, cwd));
        expect(ours.stdout).toBe(stdout);
        expect(ours.status).toBe(status);
      });
  });
}
