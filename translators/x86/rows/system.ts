import type { Helper } from '../../../src/isa/isa.ts';
import { group, type Row } from '../row.ts';

export const systemHelpers: readonly Helper[] = [];

export const system: readonly Row[] = group('system', []);
