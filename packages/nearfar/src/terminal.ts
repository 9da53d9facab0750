import { finished } from "node:stream/promises";
import type * as Core from "@nearfar/core";
import type { Pty } from "@nearfar/sandbox";

const SYS_ioctl = process.arch === "arm64" ? 29 : 16;
const [TCGETS, TCSETS] = [0x5401, 0x5402];
/** `struct termios`: its size, and where its output flags lie. */
const [TERMIOS, OUTPUT_FLAGS] = [36, 4];
const OPOST = 1;

/** The terminal of the caller, in the place of the terminal of a command: keys go there, and what it shows comes here. */
export class Terminal {
	readonly #pty: Pty;
	readonly #core: typeof Core;
	readonly #resize = () => this.#pass();
	readonly #again = () => {
		this.#raw(false); // Node does nothing where it has asked for the same mode before
		this.#raw(true);
	};

	private constructor(pty: Pty, core: typeof Core) {
		this.#pty = pty;
		this.#core = core;
		this.#raw(true); // Ctrl-C is a key of the command's terminal, which makes a signal of it
		process.on("SIGWINCH", this.#resize);
		process.on("SIGCONT", this.#again); // a shell sets the terminal when it continues a job
		process.stdin.on("error", () => {}); // nothing is typed any more
		process.stdin.pipe(pty);
		process.stdout.on("error", () => pty.destroy()); // nobody looks any more: the command gets SIGHUP
		pty.pipe(process.stdout, { end: false });
	}

	/** Has the terminal of the caller show that of a command. */
	static async show(pty: Pty): Promise<Terminal> {
		return new Terminal(pty, await import("@nearfar/core")); // the sandbox has loaded it by now
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
		if (!process.stdin.isTTY) return;
		process.stdin.setRawMode(raw);
		if (raw) this.#showAsItIs();
	}

	/** The command's terminal has made `\r\n` of a `\n` where the program wants that. Raw mode of Node would do it once more. */
	#showAsItIs(): void {
		const { FileDescriptor, Task } = this.#core;
		const termios = Buffer.alloc(TERMIOS);
		const ioctl = (request: number) => Task.near.syscall(SYS_ioctl, FileDescriptor.borrow(0), request, termios);
		ioctl(TCGETS);
		termios.writeUInt32LE((termios.readUInt32LE(OUTPUT_FLAGS) & ~OPOST) >>> 0, OUTPUT_FLAGS);
		ioctl(TCSETS);
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
