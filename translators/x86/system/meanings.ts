export * from './registers.ts';
export * from './transfer.ts';
