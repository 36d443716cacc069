import { expect, test } from 'vitest';
import { PagePermission } from '../../assembly/shared/layout.ts';
import { X86 } from '../../translators/x86/state.ts';
import { corpusGuest } from '../support/guest.ts';

const PAGE = 0x30000000;
const NEXT = PAGE + 0x1000;
const START = NEXT - 8;
const ROUNDS = 3000;
const CODE = PagePermission.Read | PagePermission.Execute;

test('a block whose next page was not there at first goes on in what is there later', async () => {
  const { vcpu } = await corpusGuest('x86', 'hello', [], { executor: 'tiered', hotThreshold: 20 });
  const { memory } = vcpu;
  memory.map(PAGE, 0x1000, CODE);
  // add eax, 1; add eax, 1; nop; nop
  memory.poke(START, Uint8Array.from([0x83, 0xc0, 1, 0x83, 0xc0, 1, 0x90, 0x90]));
  vcpu.pc = START;
  expect(vcpu.run(1000)).toMatchObject({ kind: 'memory-fault', address: NEXT });
  vcpu.invalidate(NEXT, 0x1000);
  memory.map(NEXT, 0x1000, CODE);
  for (let n = 1; n <= 4; n++) {
    // add ebx, n; dec ecx; jnz START; int3
    memory.poke(NEXT, Uint8Array.from([0x83, 0xc3, n, 0x49, 0x75, 0xf2, 0xcc]));
    vcpu.invalidate(NEXT, 0x1000);
    vcpu.pc = START;
    vcpu.set32(X86.EBX, 0);
    vcpu.set32(X86.ECX, ROUNDS);
    let exit = vcpu.run(1000);
    for (; exit.kind === 'budget'; exit = vcpu.run(1000)) await new Promise((resolve) => setImmediate(resolve));
    expect([n, exit.kind, vcpu.get32(X86.EBX)]).toEqual([n, 'breakpoint', n * ROUNDS]);
  }
  expect(vcpu.stats.regions).toBeGreaterThan(0);
});
