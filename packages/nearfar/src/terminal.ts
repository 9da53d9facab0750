import { finished } from "node:stream/promises";
import type { Pty } from "@nearfar/sandbox";

/** The terminal of the caller, in the place of the terminal of a command: keys go there, and what it shows comes here. */
export class Terminal {
	readonly #pty: Pty;
	readonly #resize = () => this.#pass();
	readonly #again = () => this.#raw(true);

	constructor(pty: Pty) {
		this.#pty = pty;
		this.#raw(true); // Ctrl-C is a key of the command's terminal, which makes a signal of it
		process.on("SIGWINCH", this.#resize);
		process.on("SIGCONT", this.#again); // a shell sets the terminal when it continues a job
		process.stdin.on("error", () => {}); // nothing is typed any more
		process.stdin.pipe(pty);
		process.stdout.on("error", () => pty.destroy()); // nobody looks any more: the command gets SIGHUP
		pty.pipe(process.stdout, { end: false });
	}

	/** Waits until everything is shown, and restores the terminal of the caller. */
	async end(): Promise<void> {
		process.off("SIGWINCH", this.#resize);
		process.off("SIGCONT", this.#again);
		process.stdin.unpipe(this.#pty);
		await finished(this.#pty, { writable: false }).catch(() => {}); // nobody looked any more
		this.#raw(false);
		process.stdin.destroy();
	}

	#raw(raw: boolean): void {
		if (process.stdin.isTTY) process.stdin.setRawMode(raw);
	}

	#pass(): void {
		const { columns, rows } = sizeOfTerminal() ?? {};
		if (columns && rows) this.#pty.resize(columns, rows);
	}
}

/** Returns the size of the caller's terminal, or `undefined` where there is none. */
export function sizeOfTerminal(): { columns: number; rows: number } | undefined {
	const stream = [process.stdout, process.stderr].find(({ isTTY }) => isTTY);
	const [columns = 0, rows = 0] = stream?.getWindowSize() ?? [];
	return columns > 0 && rows > 0 ? { columns, rows } : undefined; // a terminal that nobody has sized has 0
}
