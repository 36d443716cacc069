import type { Calls } from '../syscall.ts';
import { withNotes } from '../syscall.ts';
import { capabilityCalls } from './capability.ts';
import { childCalls } from './child.ts';
import { compareCalls } from './compare.ts';
import { extendedCalls } from './extended.ts';
import { fileCalls, fileNotes } from './files.ts';
import { futexCalls } from './futex.ts';
import { handleCalls } from './handle.ts';
import { inotifyCalls } from './inotify.ts';
import { memoryCalls } from './memory.ts';
import { miscCalls } from './misc.ts';
import { mountCalls } from './mount.ts';
import { messageQueueCalls } from './mqueue.ts';
import { pidfdCalls } from './pidfd.ts';
import { processCalls } from './process.ts';
import { ptraceCalls } from './ptrace.ts';
import { schedulingCalls } from './scheduling.ts';
import { seccompCalls } from './seccomp.ts';
import { segmentCalls } from './segment.ts';
import { signalCalls } from './signal.ts';
import { signalFileCalls } from './signalfd.ts';
import { socketCalls } from './socket.ts';
import { threadCalls } from './thread.ts';
import { timeCalls } from './time.ts';
import { timerCalls } from './timer.ts';
import { timerFileCalls } from './timerfd.ts';

/** The system calls that all ABIs have, by Linux's names. */
export const commonCalls: readonly Calls[] = [
  withNotes(fileCalls, fileNotes),
  capabilityCalls,
  compareCalls,
  extendedCalls,
  handleCalls,
  inotifyCalls,
  memoryCalls,
  mountCalls,
  messageQueueCalls,
  schedulingCalls,
  seccompCalls,
  segmentCalls,
  processCalls,
  threadCalls,
  ptraceCalls,
  pidfdCalls,
  childCalls,
  futexCalls,
  signalCalls,
  signalFileCalls,
  timeCalls,
  timerCalls,
  timerFileCalls,
  miscCalls,
  socketCalls,
];
