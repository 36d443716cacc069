import type { Helper } from '../../../src/isa/isa.ts';
import { group, type Row } from '../row.ts';

export const x87Helpers: readonly Helper[] = [];

export const x87: readonly Row[] = group('x87', []);
