import { group, type Row } from '../row.ts';

export const stack: readonly Row[] = group('stack', []);
