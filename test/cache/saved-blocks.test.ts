import { describe, expect, it } from 'vitest';
import { Layout } from '../../assembly/shared/layout.ts';
import { BlockFlag, BlockHeader } from '../../assembly/shared/uop.ts';
import { lowerBlock } from '../../src/backend/interpret/lower.ts';
import { attach, detach } from '../../src/backend/interpret/relocate.ts';
import { partsOf } from '../../src/cache/parts.ts';
import { decodeTranslations, encodeTranslations, NO_TRANSLATIONS } from '../../src/cache/persistence.ts';
import { decodePage, encodePage, pagePart, SavedBlock, type SavedPage } from '../../src/cache/saved-blocks.ts';
import type { Block } from '../../src/ir/block.ts';
import type { Builder } from '../../src/ir/builder.ts';
import { Type } from '../../src/ir/ops.ts';
import type { IsaName } from '../../src/isas.ts';
import type { VcpuOptions } from '../../src/vcpu/vcpu.ts';
import { corpusGuest, type Guest } from '../support/guest.ts';
import { makeMachine } from '../support/machine.ts';
import { block, R, toyIsa } from '../support/toy.ts';

/** To its end, in the interpreter, with what an earlier run left. */
async function run(isa: IsaName, program: string, saved?: Uint8Array, options: Partial<VcpuOptions> = {}): Promise<Guest> {
  const guest = await corpusGuest(isa, program, ['1'], { executor: 'tiered', hotThreshold: 1e9, ...options });
  guest.vcpu.persist(saved);
  while (guest.exitCode === undefined) {
    const exit = guest.vcpu.run(100_000);
    if (exit.kind === 'syscall') guest.systemCall();
    else expect(exit.kind).toBe('budget');
  }
  return guest;
}

const pagesOf = (saved: Uint8Array | undefined): SavedPage[] =>
  decodeTranslations(saved!)
    .blocks!.pages.all()
    .map(([, part]) => part.value()!);
/** The same with every page changed, and without modules. */
function changed(saved: Uint8Array, change: (page: SavedPage) => SavedPage): Uint8Array {
  const blocks = decodeTranslations(saved).blocks!;
  const pages = blocks.pages.all().map(([pcs, part]) => [pcs, pagePart(change(part.value()!))] as const);
  return encodeTranslations({ ...NO_TRANSLATIONS, blocks: { ...blocks, pages: partsOf(pages) } });
}

describe.each(['x86', 'mips'] as const)('blocks of an earlier run on %s', { timeout: 300_000 }, (isa) => {
  it('are run instead of lifted ones', async () => {
    const first = await run(isa, 'states');
    const saved = first.vcpu.translations();
    const second = await run(isa, 'states', saved);
    expect([second.output, second.state(), second.vcpu.retired]).toEqual([first.output, first.state(), first.vcpu.retired]);
    expect([second.vcpu.stats.blocks, second.vcpu.stats.restoredBlocks]).toEqual([0, first.vcpu.stats.blocks]);
    expect(second.vcpu.stats.misses).toBeLessThan(first.vcpu.stats.misses / 2);
    // nothing is new
    expect(second.vcpu.translations()).toBeUndefined();
  });

  it('of several runs are kept together', async () => {
    const one = (await run(isa, 'states')).vcpu.translations();
    const both = (await run(isa, 'bytecode', one)).vcpu.translations();
    for (const program of ['states', 'bytecode']) {
      const guest = await run(isa, program, both);
      expect(guest.vcpu.stats.restoredBlocks).toBeGreaterThan(guest.vcpu.stats.blocks);
    }
  });

  it('are restored again after they were invalidated, and not if the code changed', async () => {
    const saved = (await run(isa, 'hello')).vcpu.translations();
    const guest = await corpusGuest(isa, 'hello', [], { executor: 'tiered' });
    const { vcpu } = guest;
    vcpu.persist(saved);
    const entry = vcpu.pc;
    const stays = (): number => {
      vcpu.pc = entry;
      // the first block and no more; less than it has would be lifted by itself
      vcpu.run(8);
      return vcpu.stats.restoredBlocks;
    };
    const once = stays();
    vcpu.invalidate(entry, 4);
    const twice = stays();
    expect([once > 0, twice > once, vcpu.stats.blocks]).toEqual([true, true, 0]);
    // x86: nop; nop; … MIPS: the first word with its low bits turned
    vcpu.memory.poke(entry, new Uint8Array(isa === 'x86' ? [0x90, 0x90, 0x90, 0x90] : [0, 0, 0, 0]));
    vcpu.invalidate(entry, 4);
    stays();
    expect(vcpu.stats.blocks).toBeGreaterThan(0);
  });

  it('are for one memory model, and serve when the guest changes to it', async () => {
    const plain = (await run(isa, 'states')).vcpu.translations();
    const strict = await run(isa, 'states', plain, { memoryModel: 'checked' });
    expect(strict.vcpu.stats.restoredBlocks).toBe(0);
    const guest = await corpusGuest(isa, 'states', ['1'], { executor: 'tiered', hotThreshold: 1e9 });
    guest.vcpu.persist(strict.vcpu.translations());
    guest.vcpu.run(10);
    expect(guest.vcpu.stats.restoredBlocks).toBe(0);
    guest.vcpu.setMemoryModel('checked');
    guest.vcpu.run(1000);
    expect(guest.vcpu.stats.restoredBlocks).toBeGreaterThan(0);
  });

  it('that cannot be blocks are lifted', async () => {
    const first = await run(isa, 'states');
    const saved = first.vcpu.translations()!;
    for (const [field, value] of [
      [BlockHeader.PC, 4],
      [BlockHeader.TABLE, 0x7ffffff0],
      [BlockHeader.INSTRUCTIONS, 4000],
      [BlockHeader.END, 8],
    ]) {
      const wrong = changed(saved, (page) => {
        const uops = page.uops.slice();
        for (let i = 0; i < page.index.length - SavedBlock.WORDS; i += SavedBlock.WORDS)
          uops[page.index[i + SavedBlock.UOPS] + field / 4] = value;
        return { ...page, uops };
      });
      const guest = await run(isa, 'states', wrong);
      expect([guest.output, guest.vcpu.stats.restoredBlocks]).toEqual([first.output, 0]);
    }
  });
});

it('an index that leads out of the data is not followed', async () => {
  const first = await run('x86', 'hello');
  const saved = first.vcpu.translations()!;
  const [page] = pagesOf(saved);
  const data = encodePage(page);
  expect(decodePage(data)).toEqual(page);
  for (const length of [0, 3, 12, 200, data.length - 4]) expect(decodePage(data.slice(0, length))).toBeUndefined();
  for (let field = 0; field < SavedBlock.WORDS; field++)
    for (const wrong of [0, 0x7fffffff, 0xfffffff0]) {
      // µops at 0 are those of the first block, which is of another pc; code at 0, that of another
      const kept = changed(saved, ({ index, ...rest }) => ({
        ...rest,
        index: index.map((word, i) => (i % SavedBlock.WORDS === field && i >= SavedBlock.WORDS ? wrong : word)),
      }));
      const guest = await run('x86', 'hello', kept);
      expect([guest.output, guest.state()]).toEqual([first.output, first.state()]);
      if (!(field === SavedBlock.MODE && wrong === 0)) expect(guest.vcpu.stats.restoredBlocks).toBeLessThan(first.vcpu.stats.blocks / 2);
    }
});

describe('a block that is moved', () => {
  const PC = 0x20000;
  const isa = toyIsa([]);
  const r = (b: Builder, n: number) => b.get(Type.I32, R(n));
  const made = (end: (b: Builder) => void): Block =>
    block(isa, PC, (b) => {
      b.insn(PC, 4);
      b.set(R(1), b.add(r(b, 2), b.i32(70_000)));
      b.insn(PC + 4, 4);
      end(b);
    });
  const FROM = Layout.UOPS;
  const TO = Layout.UOPS + 0x1000;
  const SITE = Layout.JUMP_SITES + 0x100;

  // the kind, how it ends, and which words after the terminator's begin say where it has gone on
  it.each([
    ['goto', (b: Builder) => b.goto(PC + 8), [1]],
    ['branch', (b: Builder) => b.branch(b.ne(r(b, 1), r(b, 3)), PC, PC + 8), [2, 5]],
    ['call', (b: Builder) => b.call(PC + 0x100, PC + 8), [1]],
    ['indirect call', (b: Builder) => b.callIndirect(r(b, 5), PC + 8), [1]],
    ['return', (b: Builder) => b.return(r(b, 31)), []],
    ['jump', (b: Builder) => b.jump(r(b, 5)), []],
  ] as const)('is as if it had been lowered there: %s', (kind, end, links) => {
    const { runtime } = makeMachine(isa);
    const { words } = runtime;
    const lower = (address: number): number =>
      lowerBlock(made(end), runtime, address, { ...(kind === 'jump' && { jumpSite: SITE }), stackPointer: 4 });
    const length = (lower(FROM) - FROM) / 4;
    words[(FROM + BlockHeader.HEAT) / 4] = 77;
    words[(FROM + BlockHeader.FLAGS) / 4] = BlockFlag.HAS_REGION;
    const terminator = words[words[(FROM + BlockHeader.TABLE) / 4] / 4 - 1];
    for (const link of links) words[FROM / 4 + terminator + link] = FROM;
    words.set(detach(words, FROM), TO / 4);
    expect(attach(words, TO, length, PC, 0, () => SITE)).toBe(true);
    const there = words.slice(TO / 4, TO / 4 + length);
    lower(TO);
    expect(there).toEqual(words.slice(TO / 4, TO / 4 + length));
  });
});
