/** What a command is given to speak through; cli.ts makes it, and is the only one to touch the process. */

export interface Output {
  /** One line on standard output. */
  line(text: string): void;
  /** One line on standard error. */
  errorLine(text: string): void;
}

/** Exit statuses (contract, section 1). */
export const EXIT = { OK: 0, CANNOT_START: 1, BAD_CONFIG: 2, NOT_WHITELISTED: 3 } as const;

export type ExitStatus = (typeof EXIT)[keyof typeof EXIT];
