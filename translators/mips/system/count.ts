import { ExitKind } from '../../../assembly/shared/exit.ts';
import type { Builder } from '../../../src/ir/builder.ts';
import { Type } from '../../../src/ir/ops.ts';
import { type Site, setGpr } from '../row.ts';
import { Mips, Mode } from '../state.ts';
import { countSensitive, enters } from './sensitive.ts';

/** RDHWR: whether it is to be lifted. In user mode it is reserved unless HWREna has the register's bit. */
export function hardwareEnabled(b: Builder, site: Site, register: number): boolean {
  if (!enters(b, 'rdhwr')) return false;
  if (site.mode & Mode.USER && !(site.mode & Mode.CU0))
    b.exitIf(b.eqz(b.and(b.get(Type.I32, Mips.HWRENA), b.i32(1 << register))), ExitKind.Illegal);
  countSensitive(b, 'rdhwr');
  return true;
}

/** Ends the block; Count follows guest time, which may follow what is left of the budget. `hardware`: its number for RDHWR. */
export function readCount(b: Builder, site: Site, t: number, hardware?: number): void {
  if (hardware !== undefined && !hardwareEnabled(b, site, hardware)) return;
  setGpr(b, t, b.helper('mips_count'));
  goOn(b, site);
}

/** Ends the block where it goes on after the instruction. */
export function goOn(b: Builder, site: Site): void {
  if (site.next === 0) b.exit(ExitKind.Resume, site.pc);
  else b.goto(site.next);
}
