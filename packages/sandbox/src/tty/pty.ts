import type { Duplex } from "node:stream";

/**
 * The terminal of a command: what is written is typed, and what is read is what the terminal shows, of standard output and standard
 * error together.
 *
 * - **Keys.** `"\x03"` is Ctrl-C, which sends SIGINT to the foreground process group. `"\x1a"` is Ctrl-Z, and `"\r"` is Enter.
 * - **The end of the input.** `end()` types Ctrl-D, the end of file, twice where a line is not complete. The terminal stays open. The
 *   kernel cuts a line off after 4095 bytes, unless the program reads single keys.
 * - **The end of the output.** The stream ends when the command has ended, also where a process that the command has left behind holds
 *   the terminal, and when no process has the terminal open any more. That is no error. What is written after the end of the command is
 *   lost.
 * - **`destroy()`** closes the terminal, and the kernel sends SIGHUP to the command.
 *
 * @example
 * ```ts
 * const child = await start("sh", [], { preset: "closed", tty: { columns: 100, rows: 30 } });
 * child.pty?.pipe(process.stdout, { end: false });
 * child.pty?.resize(120, 40);
 * child.pty?.end("stty size\r");
 * console.log((await child.result).code); // 0
 * ```
 * @see pty(7), ioctl_tty(2)
 */
export interface Pty extends Duplex {
	/**
	 * Sets the size of the terminal. The foreground process group gets SIGWINCH if the size is another one. After the end of the command
	 * the call does nothing.
	 *
	 * @param columns - Characters of a line, 1 to 65535.
	 * @param rows - Lines, 1 to 65535.
	 * @throws `TypeError` An argument is not a whole number.
	 * @throws `RangeError` An argument is out of its range.
	 * @see ioctl_tty(2) TIOCSWINSZ; no privilege
	 */
	resize(columns: number, rows: number): void;
}
