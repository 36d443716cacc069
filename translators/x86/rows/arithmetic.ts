import { group, type Row } from '../row.ts';

export const arithmetic: readonly Row[] = group('arithmetic', []);
