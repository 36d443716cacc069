import { group, type Row } from '../row.ts';

export const bit: readonly Row[] = group('bit', []);
