/** What wasmvisor itself exits with; 0–124 and 128 up belong to the guest, as in env(1) and timeout(1). */
export const enum ExitCode {
  Usage = 2,
  TimedOut = 124,
  Own = 125,
  NotExecutable = 126,
  NotFound = 127,
  /** What a signal ends exits with this plus its number. */
  Signal = 128,
}

/** An error that the user sees as one line. */
export class CliError extends Error {
  override name = 'CliError';
  constructor(
    message: string,
    readonly code: number = ExitCode.Own,
  ) {
    super(message);
  }
}
