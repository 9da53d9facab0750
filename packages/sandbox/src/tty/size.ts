import { options as checkOptions, integer } from "@nearfar/core/internal";

/** The size of a terminal, in characters. */
export interface TerminalSize {
	readonly columns: number;
	readonly rows: number;
}

/** The size that programs take a terminal for whose size nobody has set. */
const USUAL: TerminalSize = { columns: 80, rows: 24 };
const MOST = 2 ** 16 - 1;

/** Checks `options.tty`. `undefined`: no terminal is asked for. */
export function checkTty(tty: boolean | TerminalSize | undefined): TerminalSize | undefined {
	if (tty === undefined || tty === false) return undefined;
	if (tty === true) return USUAL;
	return checkSize(checkOptions(tty, ["columns", "rows"], "options.tty"), "options.tty.");
}

/** Checks and copies a size. */
export function checkSize({ columns, rows }: TerminalSize, prefix: string): TerminalSize {
	return {
		columns: integer(columns, `${prefix}columns`, 1, MOST),
		rows: integer(rows, `${prefix}rows`, 1, MOST),
	};
}
