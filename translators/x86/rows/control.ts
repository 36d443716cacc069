import { group, type Row } from '../row.ts';

export const control: readonly Row[] = group('control', []);
