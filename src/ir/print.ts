import { ExitKind } from '../../assembly/shared/exit.ts';
import type { Block } from './block.ts';
import { OPS } from './ops.ts';

const hex = (n: number): string => `0x${(n >>> 0).toString(16)}`;
const EXIT_NAMES = new Map<number, string>([
  [ExitKind.Budget, 'budget'],
  [ExitKind.Syscall, 'syscall'],
  [ExitKind.Illegal, 'illegal'],
  [ExitKind.MemoryFault, 'memory-fault'],
  [ExitKind.Exception, 'exception'],
  [ExitKind.Breakpoint, 'breakpoint'],
  [ExitKind.Halt, 'halt'],
  [ExitKind.PortIo, 'port-io'],
  [ExitKind.MemoryIo, 'memory-io'],
  [ExitKind.Privileged, 'privileged'],
  [ExitKind.Hooked, 'hooked'],
  [ExitKind.Hypercall, 'hypercall'],
  [ExitKind.CodeWritten, 'code-written'],
]);

/** `v3 = i32.add v1 v2`, one op a line; `register` gives a state offset its name. */
export function printBlock(block: Block, register: (offset: number) => string | undefined = () => undefined): string {
  const lines = [`block ${hex(block.pc)} (${block.instructions} instructions, ${block.size} bytes)`];
  for (let v = 0; v < block.length; v++) {
    const info = OPS[block.op[v]];
    if (info.name === 'insn') {
      lines.push(`  ; ${hex(block.a[v])}`);
      continue;
    }
    const words: string[] = [];
    for (let i = 0; i < block.operandCount(v); i++) {
      const word = block.operand(v, i);
      if (block.operandType(v, i) !== 'imm') words.push(`v${word}`);
      else if (/^[gs]et/.test(info.name)) words.push(register(word) ?? `+${word}`);
      else if (info.name === 'helper' || info.name.startsWith('slow.')) words.push(block.helpers[word].name);
      else if (info.name === 'exit.if' && i === 1) words.push(EXIT_NAMES.get(word) ?? String(word));
      else if (info.name === 'i8x16.shuffle') words.push(`[${block.shuffles[word].join(' ')}]`);
      else words.push(/const/.test(info.name) && (word > 9 || word < -9) ? hex(word) : String(word));
    }
    if (info.memory && words.pop() === '1') words.push('be');
    const result = block.typeOf(v) === 0 ? '' : `v${v} = `;
    lines.push(`  ${result}${info.name} ${words.join(' ')}`.trimEnd());
  }
  const t = block.terminator;
  const target = 'target' in t ? (t.kind === 'call' ? hex(t.target) : `v${t.target}`) : '';
  switch (t.kind) {
    case 'goto':
      lines.push(`  goto ${hex(t.pc)}`);
      break;
    case 'branch':
      lines.push(`  branch v${t.condition} ${hex(t.taken)} ${hex(t.next)}`);
      break;
    case 'call':
    case 'call-indirect':
      lines.push(`  ${t.kind} ${target} next ${hex(t.next)}`);
      break;
    case 'return':
    case 'jump':
      lines.push(`  ${t.kind} ${target}`);
      break;
    case 'exit':
      lines.push(`  exit ${[EXIT_NAMES.get(t.exit) ?? t.exit, hex(t.pc), ...t.args.map(hex)].join(' ')}`);
      break;
  }
  return `${lines.join('\n')}\n`;
}
