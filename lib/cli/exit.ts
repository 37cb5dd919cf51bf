// The exit statuses of the command.

/** Exit statuses of sysexits.h, and 1: a part failed, the rest is done. */
export const EXIT = {
  OK: 0,
  PARTLY: 1,
  USAGE: 64,
  DATA: 65,
  NO_INPUT: 66,
  UNAVAILABLE: 69,
  SOFTWARE: 70,
  IO: 74,
} as const;
