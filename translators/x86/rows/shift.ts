import { group, type Row } from '../row.ts';

export const shift: readonly Row[] = group('shift', []);
