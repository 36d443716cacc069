import { group, type Row } from '../row.ts';

export const misc: readonly Row[] = group('misc', []);
