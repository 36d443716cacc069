import { expect, it } from 'vitest';
import { semaphoreCalls } from '../../src/linux/calls/semaphore.ts';
import { noObjects } from '../../src/linux/calls/sysv.ts';
import { makeGuest } from './fs/guest.ts';

const IPC_CREAT = 0o1000;
const IPC_RMID = 0;
const ENOSPC = -28;

it('sets of semaphores have the lowest free number, and there are 32000', () => {
  const { p } = makeGuest();
  Object.assign(p.system, { semaphores: noObjects({ values: 0, undo: 0 }) });
  const get = (key: number) => semaphoreCalls.semget(p, [key, 1, IPC_CREAT | 0o600]);
  for (let n = 0; n < 32000; n++) if (get(n + 1) !== n) expect.fail(`set ${n}`);
  expect(get(0)).toBe(ENOSPC);
  expect(get(501)).toBe(500);
  for (const id of [700, 500]) semaphoreCalls.semctl(p, [id, 0, IPC_RMID, 0]);
  expect([get(0), get(501), get(501)]).toEqual([500, 700, 700]);
});
