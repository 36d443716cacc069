import { group, type Row } from '../row.ts';

export const logic: readonly Row[] = group('logic', []);
