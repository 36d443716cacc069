import { group, type Row } from '../row.ts';

export const move: readonly Row[] = group('move', []);
