import { group, type Row } from '../row.ts';

export const bcd: readonly Row[] = group('bcd', []);
