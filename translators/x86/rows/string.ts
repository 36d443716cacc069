import type { Helper } from '../../../src/isa/isa.ts';
import { group, type Row } from '../row.ts';

export const stringHelpers: readonly Helper[] = [];

export const string: readonly Row[] = group('string', []);
